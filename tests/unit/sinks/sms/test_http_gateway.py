"""Gateways that only the YAML knows: the examples, by their vendors' documented answers."""

import asyncio
import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from pydantic import ValidationError

from relay.config.load import load_file
from relay.model import Outcome
from relay.sinks.base import ProbeResult
from relay.sinks.registry import sink_types
from relay.sinks.sms.http_gateway import HttpGateway, HttpGatewaySettings
from relay.transport import TransportFailure

NOW = 1_790_000_000.0
SECRETS = {
    "ACME_HOOK_TOKEN": "a-hook-token",
    "SMSAERO_EMAIL": "relay@example.com",
    "SMSAERO_API_KEY": "aero-key-1",
    "TWILIO_ACCOUNT_SID": "AC00000001",
    "TWILIO_AUTH_TOKEN": "twilio-token-1",
    "VONAGE_API_KEY": "vonage-key-1",
    "VONAGE_API_SECRET": "vonage-secret-1",
}
SENT = {"id": 686325, "number": "79161234567", "text": "Заказ готов", "cost": 2.99}


def settings(**more) -> HttpGatewaySettings:
    fields = {"url": "https://sms.example.com/send", "form": {"to": "{{ sms.phone }}"}, "success_if": {"status": 200}}
    return HttpGatewaySettings.model_validate({"type": "sms", **fields, **more})


@pytest.fixture
def example(request):
    """Load an example's gateway."""

    def example(name: str) -> HttpGateway:
        path = Path(request.config.rootpath) / "config" / "examples" / f"{name}.yaml"
        config = load_file(str(path), environ=SECRETS, sink_types=sink_types())
        assert config.findings == ()
        return HttpGateway(config.sinks["sms"])

    return example


def vonage(status: str, **more) -> dict:
    return {"message-count": "1", "messages": [{"to": "79161234567", "status": status, **more}]}


@pytest.mark.parametrize(
    ("name", "status", "reply", "outcome"),
    [
        ("smsaero", 200, {"success": True, "data": SENT, "message": None}, Outcome.DELIVERED),
        ("smsaero", 200, {"success": False, "data": None, "message": "Validation error."}, Outcome.REJECTED),
        ("smsaero", 400, {"success": False, "message": "Validation error."}, Outcome.REJECTED),
        ("smsaero", 401, {"success": False, "message": "Your request was made with invalid credentials."},
         Outcome.BLOCKED),
        ("smsaero", 402, {"success": False, "message": "Not enough money."}, Outcome.BLOCKED),
        ("smsaero", 429, b"", Outcome.THROTTLED),
        ("smsaero", 500, b"<html>", Outcome.UNKNOWN),
        ("smsaero", 200, b"<html>", Outcome.UNKNOWN),
        ("twilio", 201, {"sid": "SM1", "status": "queued", "price": None}, Outcome.DELIVERED),
        ("twilio", 429, {"code": 20429, "status": 429}, Outcome.THROTTLED),
        ("twilio", 401, {"code": 20003, "status": 401}, Outcome.BLOCKED),
        ("twilio", 400, {"code": 21606, "status": 400}, Outcome.BLOCKED),
        ("twilio", 400, {"code": 21211, "status": 400}, Outcome.REJECTED),
        ("twilio", 500, {"code": 20500, "status": 500}, Outcome.UNKNOWN),
        ("twilio", 201, b"<html>", Outcome.UNKNOWN),
        ("vonage", 200, vonage("0"), Outcome.DELIVERED),
        ("vonage", 200, vonage("1"), Outcome.THROTTLED),
        *[("vonage", 200, vonage(code), Outcome.BLOCKED) for code in ("4", "8", "9", "11", "14", "32")],
        *[("vonage", 200, vonage(code), Outcome.REJECTED) for code in ("2", "3", "6", "7", "12", "15", "22", "29")],
        ("vonage", 200, vonage("5"), Outcome.UNKNOWN),
        ("vonage", 200, {"messages": []}, Outcome.UNKNOWN),
        ("vonage", 401, b"", Outcome.BLOCKED),
    ],
)  # fmt: skip
def test_the_examples_read_what_their_vendors_say(example, message, answer, name, status, reply, outcome):
    result = example(name).read(answer(reply, status), message(), NOW)
    assert result.outcome is outcome
    assert "79161234567" not in repr(result)


@pytest.mark.parametrize(
    ("name", "reply", "status", "id", "cost"),
    [
        ("smsaero", {"success": True, "data": SENT}, 200, "686325", "2.99"),
        ("twilio", {"sid": "SM1", "price": None}, 201, "SM1", None),
        ("twilio", {"sid": "SM1", "price": "-0.00750"}, 201, "SM1", "0.0075"),
        ("vonage", vonage("0", **{"message-id": "0C01", "message-price": "0.03330000"}), 200, "0C01", "0.0333"),
    ],
)
def test_the_examples_find_id_and_cost(example, message, answer, name, reply, status, id, cost):
    result = example(name).read(answer(reply, status), message(), NOW)
    assert (result.provider_id, result.cost, result.segments) == (id, cost, 1)


@pytest.mark.parametrize(("text", "kind"), [("Заказ готов", "unicode"), ("Your order is ready", "text")])
def test_vonage_gets_the_alphabet(example, message, text, kind):
    request = example("vonage").build_request(message(text=text, sender="ACME"))
    assert dict(parse_qsl(request.body.decode())) == {
        "api_key": "vonage-key-1",
        "api_secret": "vonage-secret-1",
        "to": "79161234567",
        "from": "ACME",
        "text": text,
        "type": kind,
        "client-ref": "d-1",
    }


def test_smsaero_is_sent_json_and_twilio_a_form(example, message):
    aero, twilio = (
        example("smsaero").build_request(message(sender="SMS Aero")),
        example("twilio").build_request(message(sender="+1500")),
    )
    assert json.loads(aero.body) == {"number": "79161234567", "text": "Заказ готов", "sign": "SMS Aero"}
    assert aero.headers["Content-Type"] == "application/json"
    assert aero.headers["Authorization"].startswith("Basic ")
    assert dict(parse_qsl(twilio.body.decode())) == {"To": "+79161234567", "From": "+1500", "Body": "Заказ готов"}
    assert twilio.url.path == "/2010-04-01/Accounts/AC00000001/Messages.json"


@pytest.mark.parametrize(
    ("kind", "sent", "outcome"),
    [("connect", False, Outcome.RETRY), ("timeout", True, Outcome.UNKNOWN), ("tls", False, Outcome.BLOCKED)],
)
def test_no_answer_is_unknown_where_the_request_left(message, kind, sent, outcome):
    failure = TransportFailure(kind=kind, reason="it broke", sent=sent)
    assert HttpGateway(settings()).read(failure, message(), NOW).outcome is outcome


def test_they_may_say_how_long_to_wait(message, answer):
    gateway = HttpGateway(settings(throttled_if={"status": 503}))
    assert gateway.read(answer(b"", 503, Retry_After="9"), message(), NOW).after_ms == 9_000


def test_secrets_are_masked_in_what_they_say(message, answer):
    gateway = HttpGateway(settings(secrets={"key": "k-12345"}, auth={"bearer": "b-12345"}))
    result = gateway.read(answer({"seen": "k-12345 b-12345"}), message(), NOW)
    assert "12345" not in result.response


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"form": None}, "give form or body"),
        ({"body": {"to": "x"}}, "give form or body"),
        ({"success_if": None}, "success_if is missing"),
        ({"form": {"to": "{{ sms.fone }}"}}, "unknown field sms.fone; known are digits, encoding, id, phone"),
        ({"form": {"key": "{{ secret.kay }}"}, "secrets": {"key": "x"}}, "did you mean secret.key"),
        ({"form": {"to": "{{ lead.id }}"}}, "unknown variable lead"),
        ({"on_unknown": "lookup"}, "lookup is not possible"),
    ],
)
def test_a_description_that_cannot_work_is_refused(keys, why):
    with pytest.raises(ValidationError, match=why):
        settings(**keys)


@pytest.mark.parametrize(
    ("more", "reply", "status", "probe"),
    [
        ({}, None, 0, None),
        (
            {"probe_url": "https://sms.example.com/me"},
            {},
            200,
            ProbeResult(ok=True, message="the credentials are accepted"),
        ),
        (
            {"probe_url": "https://sms.example.com/me", "balance_path": "data.balance"},
            {"data": {"balance": 12.5}},
            200,
            ProbeResult(ok=True, message="the balance is 12.5"),
        ),
        (
            {"probe_url": "https://sms.example.com/me"},
            {},
            401,
            ProbeResult(ok=False, message="401: check the sink's auth and probe_url"),
        ),
    ],
)
def test_a_probe_fetches_what_the_yaml_says(tools, answer, monkeypatch, more, reply, status, probe):
    async def call(_, request):
        assert (request.method, str(request.url)) == ("GET", "https://sms.example.com/me")
        return answer(reply, status)

    monkeypatch.setattr("relay.sinks.sms.http_gateway.call", call)
    assert asyncio.run(HttpGateway(settings(**more)).probe(tools)) == probe


@pytest.mark.parametrize(
    ("said", "outcome", "reason"),
    [
        ("OK:17", Outcome.DELIVERED, "200: success_if holds"),
        ("ERROR:14 неверный номер", Outcome.REJECTED, "200: rejected_if holds"),
        ("ERROR:2 неверный ключ", Outcome.BLOCKED, "200: blocked_if holds"),
        ("подождите", Outcome.UNKNOWN, "200: no check holds for this answer"),
    ],
)
def test_a_gateway_may_answer_in_plain_text(answer, message, said, outcome, reason):
    checks = {
        "success_if": {"text": {"matches": "^OK:"}},
        "blocked_if": {"text": {"matches": "^ERROR:[23]"}},
        "rejected_if": {"text": {"matches": "^ERROR:"}},
    }
    said_in_1251 = answer(f"{said}\r\n".encode("windows-1251"), Content_Type="text/plain; charset=windows-1251")
    result = HttpGateway(settings(**checks)).read(said_in_1251, message(), NOW)
    assert (result.outcome, result.reason, result.response.strip()) == (outcome, reason, said)
