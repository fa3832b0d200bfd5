"""MoySklad: what answers mean by their error codes, what an invoice has in it, how often it may be called."""

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError
from scripted_vendor import Vendor, response

from relay.errors import RejectDelivery
from relay.model import Outcome
from relay.sinks.moysklad.settings import MAX_PER_MINUTE, rate_at
from relay.sinks.moysklad.sink import MoySkladSink
from relay.transport import TransportFailure

ORGANIZATION = "5f0f2b1e-0000-4000-8000-000000000001"
SERVICE = "5f0f2b1e-0000-4000-8000-000000000002"
AGENT = {"href": "https://api.moysklad.ru/x", "type": "counterparty"}
FOUND = (200, {"rows": [{"id": "c-1", "meta": AGENT}]})
NOTHING = (200, {"rows": []})
PARAMS = {
    "external_code": "amo-7001",
    "counterparty": {"external_code": "amo-c-7", "name": "Анна", "phone": "+79161234567", "email": "a@example.com"},
    "positions": [{"service": SERVICE, "quantity": 2, "price": 15000010}],
}
LOST = TransportFailure(kind="timeout", reason="no answer in time", sent=True)


def sink(**settings) -> MoySkladSink:
    own = {"type": "moysklad", "token": "a-token", "organization": ORGANIZATION}
    return MoySkladSink("moysklad", MoySkladSink.Settings(**{**own, **settings}))


@pytest.fixture
def vendor(monkeypatch) -> Vendor:
    return Vendor(monkeypatch)


@pytest.fixture
def sent(vendor, delivery):
    """Send an invoice whose counterparty exists."""
    http = sink()
    held = delivery(http.content(PARAMS))
    return lambda *answers: vendor.run(lambda tools: http.send(held, tools), FOUND, *answers)


def error(status: int, code: int):
    return status, {"errors": [{"error": "so it is", "code": code}]}


R, B, T, A = Outcome.REJECTED, Outcome.BLOCKED, Outcome.THROTTLED, Outcome.RETRY


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((200, {"id": "i-1"}), Outcome.DELIVERED),
        ((200, b"<html>"), A),
        *[((status, b""), R) for status in (400, 404, 409, 412, 413, 414)],
        *[(error(412, code), R) for code in (3000, 3005, 3007, 3039)],
        *[((status, b""), B) for status in (301, 302, 307, 401, 403, 405, 410, 415)],
        *[(error(status, code), B) for status, code in
          [(403, 1048), (401, 1056), (403, 1061), (400, 1043), (400, 1070)]],
        ((429, b""), T),
        (error(429, 1049), T),
        (error(429, 1073), T),
        *[((status, b""), A) for status in (500, 502, 503, 504)],
        *[(error(status, code), A) for status, code in [(500, 1074), (503, 1083), (400, 1088), (400, 1065)]],
        (LOST, A),
        (TransportFailure(kind="connect", reason="refused", sent=False), A),
        (TransportFailure(kind="tls", reason="expired", sent=False), B),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_every_row_of_the_table(sent, answer, outcome):
    assert sent(answer).outcome is outcome


@pytest.mark.parametrize(
    ("look", "outcome"),
    [((200, {"rows": [{"id": "i-1"}]}), Outcome.DELIVERED), (NOTHING, R), ((503, b""), T)],
)
def test_a_value_that_is_not_unique_is_looked_up(vendor, sent, look, outcome):
    assert sent(error(412, 3006), look).outcome is outcome
    assert vendor.paths[-1] == "GET /api/remap/1.2/entity/invoiceout?filter=externalCode%3Damo-7001&limit=2"


def test_how_long_to_wait_is_told_in_milliseconds(sent):
    assert sent(response(429, X_Lognex_Retry_After="250")).after_ms == 250


def test_an_invoice_in_their_words(vendor, delivery, sent):
    result = sent((200, {"id": "i-1"}))
    request = vendor.requests[-1]
    assert (request.method, str(request.url)) == ("POST", "https://api.moysklad.ru/api/remap/1.2/entity/invoiceout")
    assert (request.headers["Accept-Encoding"], request.headers["Authorization"]) == ("gzip", "Bearer a-token")
    body = json.loads(request.body)
    assert uuid.UUID(body.pop("syncId")).version == 5
    meta = {"mediaType": "application/json"}
    base = "https://api.moysklad.ru/api/remap/1.2/entity"
    assert body == {
        "externalCode": "amo-7001",
        "organization": {"meta": {"href": f"{base}/organization/{ORGANIZATION}", "type": "organization", **meta}},
        "agent": {"meta": AGENT},
        "positions": [
            {
                "quantity": 2,
                "price": 15000010,
                "assortment": {"meta": {"href": f"{base}/service/{SERVICE}", "type": "service", **meta}},
            }
        ],
    }
    assert result.provider_id == "i-1"


def test_an_invoice_may_have_a_number_a_text_and_a_time_of_its_own():
    content = sink().content(PARAMS | {"number": "A-7", "description": "d", "moment": "2026-09-21 12:00:00"})
    body = sink().describe(content)["body"]
    assert (body["name"], body["description"], body["moment"]) == ("A-7", "d", "2026-09-21 12:00:00")


def test_the_sync_id_is_the_deliverys_own_at_every_attempt(delivery):
    http = sink()
    content = http.content(PARAMS)
    ids = {json.loads(http.request(delivery(content, id=id), 0).body)["syncId"] for id in ("a", "a", "b")}
    assert len(ids) == 2


def test_a_counterparty_is_looked_up_by_code_phone_and_email_and_then_made(vendor, delivery):
    http = sink()
    made = (200, {"id": "c-9", "meta": AGENT})
    vendor.run(
        lambda tools: http.send(delivery(http.content(PARAMS)), tools),
        *[NOTHING] * 5,
        made,
        (200, {"id": 1}),
    )
    assert [request.url.query["filter"] for request in vendor.requests[:5]] == [
        "externalCode=amo-c-7", "phone=~67", "email~a@example.com", "email~a@Example.com", "email~A@EXAMPLE.COM",
    ]  # fmt: skip
    body = json.loads(vendor.requests[5].body)
    assert uuid.UUID(body.pop("syncId"))
    assert body == {"name": "Анна", "externalCode": "amo-c-7", "phone": "+79161234567", "email": "a@example.com"}


@pytest.mark.parametrize(
    ("params", "why"),
    [
        (PARAMS | {"external_code": ""}, "external_code: has no value"),
        (PARAMS | {"external_code": "a;b"}, "so it cannot be looked up"),
        (PARAMS | {"positions": []}, "at least one position"),
        (PARAMS | {"positions": ["x"]}, r"positions\.0: takes a mapping"),
        (PARAMS | {"positions": [{"price": 1}]}, "exactly one of product"),
        (PARAMS | {"positions": [{"service": SERVICE, "product": SERVICE, "price": 1}]}, "exactly one of product"),
        (PARAMS | {"positions": [{"service": "7", "price": 1}]}, r"positions\.0\.service: '7' is not an id"),
        (PARAMS | {"positions": [{"service": SERVICE}]}, r"positions\.0\.price: None is no number"),
        (PARAMS | {"positions": [{"service": SERVICE, "price": "1500.50"}]}, r"use \| minor"),
        (PARAMS | {"positions": [{"service": SERVICE, "price": -1}]}, r"use \| minor"),
        (PARAMS | {"positions": [{"service": SERVICE, "price": "тысяча"}]}, "is no number"),
        (PARAMS | {"positions": [{"service": SERVICE, "price": 1, "colour": 2}]}, "colour is unknown"),
        (PARAMS | {"counterparty": "Анна"}, "counterparty: takes a mapping"),
        (PARAMS | {"counterparty": {"phone": "+7"}}, r"counterparty\.name: has no value"),
        (PARAMS | {"counterparty": {"name": "Анна"}}, "has none of external_code"),
        (PARAMS | {"counterparty": {"name": "Анна", "phone": "1;name=x"}}, r"counterparty\.phone: has a ;"),
        (PARAMS | {"counterparty": {"name": "Анна", "phone": "1", "x": 1}}, "x is unknown"),
    ],
)
def test_what_can_be_no_invoice_is_refused_with_its_place(params, why):
    with pytest.raises(RejectDelivery, match=why):
        sink().content(params)


@pytest.mark.parametrize(("quantity", "number"), [(Decimal("2"), 2), ("2", 2), (1.5, 1.5), (Decimal("0.25"), 0.25)])
def test_quantities_may_be_parts(quantity, number):
    content = sink().content(PARAMS | {"positions": [{"service": SERVICE, "quantity": quantity, "price": "5"}]})
    assert sink().describe(content)["body"]["positions"][0]["quantity"] == number


@pytest.mark.parametrize(
    ("now", "count"),
    [(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), 15), (datetime(2026, 12, 1, tzinfo=UTC), 11)],
)
def test_they_allow_less_from_december_2026(now, count):
    assert rate_at(now) == (count, 3_000)


def test_the_limits_are_the_users_over_all_sinks():
    one, same, other = sink().limits, sink(rate="9/3s").limits, sink(token="another").limits
    assert [limit.key for limit in one] == [limit.key for limit in same]
    assert not {limit.key for limit in one} & {limit.key for limit in other}
    assert (same[0].count, same[1].count, same[1].per_ms) == (9, MAX_PER_MINUTE, 60_000)
    assert "a-token" not in repr(one)


@pytest.mark.parametrize(
    ("answer", "ok"), [((200, {"rows": [{"name": "ACME"}]}), True), (error(401, 1056), False), (LOST, False)]
)
def test_the_probe_asks_for_one_organization(vendor, answer, ok):
    probe = vendor.run(sink().probe, answer)
    assert (probe.ok, vendor.paths) == (ok, ["GET /api/remap/1.2/entity/organization?limit=1"])


def test_settings_of_every_sink_reach_the_profile():
    http = sink(retry=["5m", "1h"], timeout="7s", blocked_for="5m", on_unknown="hold")
    assert (http.policy.attempts, http.timeout_ms, http.policy.blocked_ms) == (3, 7_000, 300_000)
    assert (http.policy.on_unknown, http.concurrency, sink().policy.on_unknown) == ("hold", 5, "retry")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"token": None}, "either token, or login"),
        ({"login": "admin@acme"}, "either token, or login"),
        ({"token": None, "login": "admin@acme"}, "either token, or login"),
        ({"organization": "ACME"}, "valid UUID"),
        ({"concurrency": 6}, "less than or equal to 5"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, why):
    with pytest.raises(ValidationError, match=why):
        sink(**settings)


def test_a_login_and_its_password_do_as_well(delivery):
    http = sink(token=None, login="admin@acme", password="s3cret")
    request = http.request(delivery(http.content(PARAMS)), 0)
    assert request.headers["Authorization"].startswith("Basic ")
    assert "s3cret" not in repr(http.describe(http.content(PARAMS)))
