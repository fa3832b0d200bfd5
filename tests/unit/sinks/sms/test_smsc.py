"""SMSC: what is sent, and every answer it may give."""

import asyncio
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from relay.errors import StoreUnavailable
from relay.model import Outcome
from relay.sinks.base import MAX_RESPONSE, ProbeResult
from relay.sinks.sms.smsc import Smsc, SmscSettings
from relay.transport import TransportFailure

NOW = 1_790_000_000.0
TEXT_OF_MANY = "Уважаемая Анна, " + "ждём вас " * 200
LOST = TransportFailure(kind="timeout", reason="no answer in time", sent=True)
UNSENT = TransportFailure(kind="connect", reason="refused", sent=False)


def error(code: int, text: str, **more) -> dict:
    return {"error": text, "error_code": code, **more}


class Scripted(Smsc):
    """Records what is posted, and answers by a script."""

    def __init__(self, *answers, **settings) -> None:
        keys = settings or {"login": "acme", "password": "s3cret-psw"}
        super().__init__(SmscSettings(type="smsc", **keys))
        self.answers = list(answers)
        self.posted = []

    async def post(self, tools, url, form):
        self.posted.append((url, dict(form)))
        return self.answers.pop(0)


@pytest.fixture
def send(message, tools, answer):
    def send(content, **more):
        reply = content if isinstance(content, TransportFailure) else answer(content)
        return asyncio.run(Scripted(reply).send(message(**more), tools))

    return send


@pytest.fixture
def look_up(message, tools, answer):
    def look_up(content, gateway=None):
        gateway = gateway or Scripted()
        gateway.answers.append(content if isinstance(content, TransportFailure) else answer(content))
        return asyncio.run(gateway.lookup(message(), tools))

    return look_up


def test_what_is_sent(message, tools, answer):
    gateway = Scripted(answer({"id": "d-1", "cnt": 1}))
    asyncio.run(gateway.send(message(sender="ACME"), tools))
    ((url, form),) = gateway.posted
    assert url == "https://smsc.ru/sys/send.php"
    assert form == {
        "login": "acme",
        "psw": "s3cret-psw",
        "phones": "+79161234567",
        "mes": "Заказ готов",
        "id": "d-1",
        "sender": "ACME",
        "charset": "utf-8",
        "fmt": "3",
        "cost": "3",
    }


def test_a_key_takes_the_place_of_login_and_password(message, tools, answer):
    gateway = Scripted(answer({"id": 1, "cnt": 1}), apikey="the-key", url="https://smsc.kz/")
    asyncio.run(gateway.send(message(), tools))
    ((url, form),) = gateway.posted
    assert url == "https://smsc.kz/sys/send.php"
    assert form["apikey"] == "the-key"
    assert not {"login", "psw", "sender"} & form.keys()


def test_a_text_that_was_taken_tells_its_id_segments_and_cost(send):
    result = send({"id": 3218, "cnt": 2, "cost": "4.80", "balance": "100.50"})
    assert (result.outcome, result.provider_id) == (Outcome.DELIVERED, "3218")
    assert (result.segments, result.cost, result.status) == (2, "4.8", 200)


@pytest.mark.parametrize(
    ("reply", "outcome", "after_ms"),
    [
        (error(1, "parameters error"), Outcome.REJECTED, None),
        (error(2, "authorise error"), Outcome.BLOCKED, None),
        (error(3, "no money", id=1), Outcome.BLOCKED, None),
        (error(4, "ip is blocked"), Outcome.BLOCKED, 900_000),
        (error(5, "invalid date format"), Outcome.REJECTED, None),
        (error(6, "message is denied", id=1), Outcome.REJECTED, None),
        (error(7, "invalid number", id=1), Outcome.REJECTED, None),
        (error(8, "can't to deliver", id=1), Outcome.REJECTED, None),
        (error(9, "duplicate request, wait a minute"), Outcome.UNKNOWN, None),
        (error(9, "too many concurrent requests"), Outcome.THROTTLED, 5_000),
        (error(9, "something new"), Outcome.UNKNOWN, None),
        (error(10, "something new"), Outcome.UNKNOWN, None),
        (error("2", "authorise error"), Outcome.BLOCKED, None),
        ({"error": "no code"}, Outcome.UNKNOWN, None),
        ({}, Outcome.UNKNOWN, None),
        ([], Outcome.UNKNOWN, None),
        (b"<html>", Outcome.UNKNOWN, None),
        (b'{"id": 1, "cn', Outcome.UNKNOWN, None),
        (b"", Outcome.UNKNOWN, None),
        (LOST, Outcome.UNKNOWN, None),
        (UNSENT, Outcome.RETRY, None),
        (TransportFailure(kind="tls", reason="bad certificate", sent=False), Outcome.BLOCKED, None),
    ],
)
def test_every_error_has_its_outcome(send, reply, outcome, after_ms):
    result = send(reply)
    assert (result.outcome, result.after_ms) == (outcome, after_ms)
    assert result.reason


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(500, Outcome.UNKNOWN), (502, Outcome.UNKNOWN), (403, Outcome.BLOCKED), (302, Outcome.BLOCKED)],
)
def test_an_answer_with_another_status_is_not_theirs(message, tools, answer, status, outcome):
    reply = answer({"id": 1, "cnt": 1}, status)
    assert asyncio.run(Scripted(reply).send(message(), tools)).outcome is outcome


def test_a_proxys_429_says_how_long(message, tools, answer):
    result = asyncio.run(Scripted(answer(b"", 429, Retry_After="7")).send(message(), tools))
    assert (result.outcome, result.after_ms) == (Outcome.THROTTLED, 7_000)


def test_the_third_denial_in_a_row_says_that_the_sender_is_wrong(send):
    denied = error(6, "message is denied")
    assert [send(denied).outcome for _ in range(3)] == [Outcome.REJECTED, Outcome.REJECTED, Outcome.BLOCKED]
    assert "is the sender registered" in send(denied).reason


def test_a_delivered_text_ends_the_denials_in_a_row(send):
    denied = error(6, "message is denied")
    outcomes = [send(reply).outcome for reply in (denied, denied, {"id": 1, "cnt": 1}, denied, denied)]
    assert outcomes.count(Outcome.BLOCKED) == 0


@pytest.mark.parametrize("reply", [error(6, "message is denied"), {"id": 1, "cnt": 1}])
def test_an_answer_counts_though_the_store_is_unavailable(message, tools, answer, reply, monkeypatch):
    async def away(*_):
        raise StoreUnavailable("away")

    monkeypatch.setattr(tools.shared, "spend_quotas", away)
    monkeypatch.setattr(tools.shared, "delete", away)
    outcome = asyncio.run(Scripted(answer(reply)).send(message(), tools)).outcome
    assert outcome is (Outcome.REJECTED if "error" in reply else Outcome.DELIVERED)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        *[({"status": status}, Outcome.DELIVERED) for status in (-2, -1, 0, 1, 2, 3, 4, 20)],
        *[({"status": status}, Outcome.REJECTED) for status in (22, 23, 25)],
        ({"status": "1"}, Outcome.DELIVERED),
        ({"status": 24}, Outcome.BLOCKED),
        ({"status": -3}, None),
        ({"status": 99}, Outcome.UNKNOWN),
        (error(2, "authorise error"), Outcome.BLOCKED),
        (error(4, "ip is blocked"), Outcome.BLOCKED),
        (error(9, "too many concurrent requests"), Outcome.THROTTLED),
        (error(1, "parameters error"), Outcome.THROTTLED),
        (b"<html>", Outcome.THROTTLED),
        (LOST, Outcome.THROTTLED),
        (UNSENT, Outcome.THROTTLED),
    ],
)
def test_what_a_look_up_says(look_up, reply, outcome):
    found = look_up(reply)
    assert (found.outcome if found else None) is outcome


def test_a_look_up_asks_for_our_id_and_the_number(look_up):
    gateway = Scripted()
    found = look_up({"status": 1, "cost": "2.40"}, gateway)
    ((url, form),) = gateway.posted
    assert url == "https://smsc.ru/sys/status.php"
    assert {name: form[name] for name in ("phone", "id", "all", "fmt")} == {
        "phone": "+79161234567",
        "id": "d-1",
        "all": "1",
        "fmt": "3",
    }
    assert found.cost == "2.4"


def test_an_unpaid_text_blocks_once_and_is_then_sent_again(look_up):
    assert look_up({"status": 24}).outcome is Outcome.BLOCKED
    assert look_up({"status": 24}) is None


@pytest.mark.parametrize(
    ("reply", "probe"),
    [
        ({"balance": "100.50"}, ProbeResult(ok=True, message="the balance is 100.50")),
        (
            error(2, "authorise error"),
            ProbeResult(ok=False, message="2: authorise error: wrong credentials: check login and password, or apikey"),
        ),
        (
            b"<html>",
            ProbeResult(
                ok=False,
                message="200: the answer cannot be read: it is a page (HTML or XML), no JSON: check the sink's url and "
                "the network",
            ),
        ),
        (UNSENT, ProbeResult(ok=False, message="refused: check the sink's url and the network")),
    ],
)
def test_a_probe_tells_the_balance_or_what_is_wrong(tools, answer, reply, probe):
    gateway = Scripted(reply if isinstance(reply, TransportFailure) else answer(reply))
    assert asyncio.run(gateway.probe(tools)) == probe
    assert gateway.posted[0][0] == "https://smsc.ru/sys/balance.php"


@pytest.mark.parametrize("before", [0, 1, 480, 1999, 2100, 3990, 4500])
def test_of_an_answer_of_a_megabyte_only_the_beginning_is_masked_and_nothing_half(send, before):
    said = "x" * before + (TEXT_OF_MANY + "+79161234567") * 500
    result = send(error(6, said), text=TEXT_OF_MANY)
    for shown in (result.reason, result.response):
        assert len(shown) <= MAX_RESPONSE
        assert "Уважаемая" not in shown
        assert "79161234567"[1:-4] not in shown


def test_number_text_and_key_are_masked_in_answers(send):
    reply = error(7, "invalid number 79161234567 for s3cret-psw: Заказ готов", echo="Заказ готов +79161234567")
    result = send(reply)
    for private in ("79161234567", "Заказ", "s3cret"):
        assert private not in repr(result)
    assert "***4567" in result.response


@pytest.mark.parametrize(
    ("keys", "right"),
    [
        ({"login": "a", "password": "b"}, True),
        ({"apikey": "k"}, True),
        ({}, False),
        ({"login": "a"}, False),
        ({"password": "b"}, False),
        ({"login": "a", "password": "b", "apikey": "k"}, False),
        ({"login": "a", "apikey": "k"}, False),
    ],
)
def test_credentials_are_login_and_password_or_an_apikey(keys, right):
    if right:
        assert SmscSettings(type="smsc", **keys).action_on_unknown == "lookup"
    else:
        with pytest.raises(ValidationError, match="give login and password, or apikey"):
            SmscSettings(type="smsc", **keys)


def test_the_form_is_utf_8_on_the_wire(message, tools, answer, monkeypatch):
    sent = []

    async def call(_, request):
        sent.append(request)
        return answer({"id": 1, "cnt": 1})

    monkeypatch.setattr("relay.sinks.sms.gateway.call", call)
    asyncio.run(Smsc(SmscSettings(type="smsc", apikey="k")).send(message(), tools))
    (request,) = sent
    assert parse_qs(request.body.decode())["mes"] == ["Заказ готов"]
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded; charset=utf-8"
    assert (request.method, request.url.query_string) == ("POST", "")
