"""An HTTP sink that makes more than one call: look-ups, dependencies, tokens, probes."""

import base64
import json
import subprocess

import pytest
from pydantic import ValidationError
from scripted_vendor import Vendor, response

from relay.errors import RejectDelivery
from relay.model import Limit, Outcome
from relay.secret import SecretStr
from relay.sinks.http.oauth2 import DEFAULT_LIFETIME_MS
from relay.sinks.http.sink import HttpSink
from relay.transport import TransportFailure

URL = "https://books.example.com/api"
LOOKUP = {"path": "/invoices", "query": {"number": "<number>"}, "id_path": "items.*.id"}
NEED = {
    "customer": {
        "lookup": [
            {"path": "/customers", "query": {"code": "<code>"}, "id_path": "items.*.id"},
            {"path": "/customers", "query": {"email": "<email>"}, "id_path": "items.*.id"},
        ],
        "create": {"path": "/customers", "body": {"name": "<name>", "email": "<email>"}, "id_path": "id"},
    }
}
GIVEN = {"customer": {"code": "c-1", "name": "Анна", "email": "anna@example.com"}}
LOST = TransportFailure(kind="timeout", reason="no answer in time", sent=True)
NONE, ONE, TWO = {"items": []}, {"items": [{"id": "i-1"}]}, {"items": [{"id": "i-1"}, {"id": "i-2"}]}


@pytest.fixture
def vendor(monkeypatch) -> Vendor:
    return Vendor(monkeypatch)


def sink(**settings) -> HttpSink:
    return HttpSink("books", HttpSink.Settings(**{"type": "http", "url": URL, **settings}))


def content(http, **params):
    return http.content({"path": "/invoices", "body": {"number": "n-1"}, **params})


# What an answer means where checks are set.


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, {"status": "ok"}, Outcome.DELIVERED),
        (200, {"status": "exists"}, Outcome.DELIVERED),
        (200, {"status": "slow down"}, Outcome.THROTTLED),
        (500, {"status": "locked"}, Outcome.RETRY),
        (200, {"status": "no money"}, Outcome.BLOCKED),
        (200, {"status": "wrong"}, Outcome.REJECTED),
        (200, {"status": "what?"}, Outcome.UNKNOWN),
        (200, b"<html>", Outcome.UNKNOWN),
        (422, {"status": "what?"}, Outcome.REJECTED),
    ],
)
def test_checks_come_before_the_status(vendor, delivery, status, body, outcome):
    http = sink(
        idempotency_key=False,
        success_if={"json": {"status": "ok"}},
        already_if={"json": {"status": "exists"}},
        throttled_if={"json": {"status": "slow down"}},
        retry_if={"json": {"status": "locked"}},
        blocked_if={"json": {"status": "no money"}},
        rejected_if={"json": {"status": "wrong"}},
    )
    assert vendor.run(lambda tools: http.send(delivery(content(http)), tools), (status, body)).outcome is outcome


def test_with_a_key_what_cannot_be_read_is_repeated(vendor, delivery):
    http = sink(idempotency="honoured", success_if={"json": {"id": {"exists": True}}})
    result = vendor.run(lambda tools: http.send(delivery(content(http)), tools), (200, b"<html>"))
    assert (result.outcome, result.reason) == (
        Outcome.RETRY, "200 OK, but the answer cannot be read: it is a page (HTML or XML), no JSON",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("header", "unit", "headers", "after_ms"),
    [
        ("X-Wait", "ms", {"X_Wait": "250"}, 250),
        ("X-Wait", "s", {"X_Wait": "7"}, 7_000),
        ("X-Wait", "ms", {"X_Wait": "9" * 30}, 24 * 3_600_000),
        ("X-Wait", "ms", {"Retry_After": "3"}, 3_000),
        ("X-Wait", "ms", {"X_Wait": "soon", "Retry_After": "3"}, 3_000),
    ],
)
def test_a_vendor_may_say_how_long_in_a_header_of_its_own(vendor, delivery, header, unit, headers, after_ms):
    http = sink(retry_header={"name": header, "unit": unit})
    result = vendor.run(lambda tools: http.send(delivery(content(http)), tools), response(429, **headers))
    assert (result.outcome, result.after_ms) == (Outcome.THROTTLED, after_ms)


def test_their_id_is_kept_and_people_are_not(vendor, delivery):
    http = sink(id_path="invoice.id")
    answer = {"invoice": {"id": 7}, "to": "anna@example.com, +7 (916) 123-45-67", "number": 1790000123456}
    result = vendor.run(lambda tools: http.send(delivery(content(http)), tools), (201, answer))
    assert result.provider_id == "7"
    assert "anna" not in result.response
    assert "916" not in result.response
    assert "1790000123456" in result.response


# Looking.


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((200, ONE), Outcome.DELIVERED),
        ((200, TWO), Outcome.DELIVERED),
        ((200, NONE), Outcome.RETRY),
        ((200, b"<html>"), Outcome.UNKNOWN),
        ((400, b""), Outcome.UNKNOWN),
        ((404, b""), Outcome.BLOCKED),
        ((405, b""), Outcome.BLOCKED),
        ((401, b""), Outcome.BLOCKED),
        ((301, b""), Outcome.BLOCKED),
        ((429, b""), Outcome.THROTTLED),
        ((500, b""), Outcome.THROTTLED),
        ((503, b""), Outcome.THROTTLED),
        (LOST, Outcome.THROTTLED),
        (TransportFailure(kind="dns", reason="no such name", sent=False), Outcome.THROTTLED),
        (TransportFailure(kind="tls", reason="expired", sent=False), Outcome.BLOCKED),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_look_up_says_there_not_there_or_not_yet_known(vendor, delivery, answer, outcome):
    http = sink(idempotency_key=False, lookup=LOOKUP)
    held = delivery(content(http, lookup={"number": "n-1"}))
    assert vendor.run(lambda tools: http.lookup(held, tools), answer).outcome is outcome
    assert vendor.paths == ["GET /api/invoices?number=n-1"]


def test_a_path_that_names_the_thing_itself_may_be_missing(vendor, delivery):
    http = sink(lookup={"path": "/invoices/<key>", "id_path": "id"})
    held = delivery(content(http))
    assert vendor.run(lambda tools: http.lookup(held, tools), (404, b"")).outcome is Outcome.RETRY
    found = vendor.run(lambda tools: http.lookup(held, tools), (200, {"id": "i-1"}))
    assert (found.outcome, found.provider_id) == (Outcome.DELIVERED, "i-1")
    assert vendor.paths[0] == f"GET /api/invoices/{held.id}"


def test_an_error_inside_200_is_not_taken_for_nothing_found(vendor, delivery):
    http = sink(lookup=LOOKUP, throttled_if={"json": {"error": "busy"}})
    held = delivery(content(http, lookup={"number": "n-1"}))
    assert vendor.run(lambda tools: http.lookup(held, tools), (200, {"error": "busy"})).outcome is Outcome.THROTTLED


def test_success_if_is_not_asked_of_a_look_up(vendor, delivery):
    http = sink(lookup=LOOKUP, success_if={"json": {"id": {"exists": True}}})
    held = delivery(content(http, lookup={"number": "n-1"}))
    assert vendor.run(lambda tools: http.lookup(held, tools), (200, NONE)).outcome is Outcome.RETRY


@pytest.mark.parametrize(
    ("look", "create", "outcome"),
    [
        ((200, ONE), [], Outcome.DELIVERED),
        ((200, NONE), [(201, {})], Outcome.DELIVERED),
        ((503, b""), [], Outcome.THROTTLED),
        ((400, b""), [], Outcome.RETRY),
        ((401, b""), [], Outcome.BLOCKED),
    ],
)
def test_with_lookup_first_it_is_created_only_where_it_does_not_exist(vendor, delivery, look, create, outcome):
    http = sink(lookup=LOOKUP, lookup_first=True)
    held = delivery(content(http, lookup={"number": "n-1"}))
    assert vendor.run(lambda tools: http.send(held, tools), look, *create).outcome is outcome


@pytest.mark.parametrize(
    ("look", "outcome"),
    [
        ((200, ONE), Outcome.DELIVERED),
        ((200, NONE), Outcome.REJECTED),
        ((400, b""), Outcome.RETRY),
        ((503, b""), Outcome.THROTTLED),
    ],
)
def test_a_409_is_looked_up_where_that_is_possible(vendor, delivery, look, outcome):
    http = sink(lookup=LOOKUP)
    held = delivery(content(http, lookup={"number": "n-1"}))
    assert vendor.run(lambda tools: http.send(held, tools), (409, b""), look).outcome is outcome


@pytest.mark.parametrize(
    ("settings", "unknown"),
    [
        ({}, "hold"),
        ({"idempotency": None}, "hold"),
        ({"lookup": LOOKUP}, "hold"),
        ({"idempotency": "none", "lookup": LOOKUP}, "hold"),
        ({"idempotency": "lookup", "lookup": LOOKUP}, "lookup"),
        ({"idempotency": "honoured"}, "retry"),
        ({"idempotency": "honoured", "lookup": LOOKUP}, "retry"),
        ({"idempotency": "honoured", "idempotency_key": "X-Request-Id"}, "retry"),
        ({"idempotency": "honoured", "on_unknown": "hold"}, "hold"),
        ({"idempotency": "honoured", "lookup": LOOKUP, "on_unknown": "lookup"}, "lookup"),
        ({"idempotency": "lookup", "lookup": LOOKUP, "on_unknown": "hold"}, "hold"),
        ({"on_unknown": "retry"}, "retry"),
    ],
)
def test_what_follows_the_unknown_follows_their_promise(settings, unknown):
    assert sink(**settings).policy.on_unknown == unknown


@pytest.mark.parametrize(
    ("settings", "params", "why"),
    [
        ({"lookup": LOOKUP}, {}, "lookup.number: has no value"),
        ({"lookup": LOOKUP}, {"lookup": {"number": ""}}, "lookup.number: has no value"),
        ({}, {"lookup": {"number": [1]}}, "lookup"),
        ({}, {"needs": GIVEN}, "needs.customer: the sink has no such need"),
        ({"needs": NEED}, {"body": {"for": "<customer>"}}, "needs.customer: is missing"),
        ({"needs": NEED}, {"needs": {"customer": "anna"}}, "needs"),
    ],
)
def test_a_route_without_the_values_of_the_sinks_look_up_is_refused(settings, params, why):
    with pytest.raises(RejectDelivery, match=why):
        content(sink(**settings), **params)


# Needs.


@pytest.fixture
def send_with_dependency(vendor, delivery):
    def send(*answers, values=GIVEN, **settings):
        http = sink(needs=NEED, **settings)
        held = delivery(content(http, needs=values, body={"customer": "<customer>", "key": "<key>", "n": "1"}))
        return vendor.run(lambda tools: http.send(held, tools), *answers)

    return send


def test_a_dependency_is_looked_up_once_and_goes_into_the_body(vendor, delivery, send_with_dependency):
    assert send_with_dependency((200, ONE), (201, {})).outcome is Outcome.DELIVERED
    assert send_with_dependency((201, {})).outcome is Outcome.DELIVERED
    assert vendor.paths == ["GET /api/customers?code=c-1", "POST /api/invoices", "POST /api/invoices"]
    assert vendor.requests[1].body == vendor.requests[2].body
    assert json.loads(vendor.requests[1].body) == {"customer": "i-1", "key": delivery().id, "n": "1"}


def test_a_dependency_that_is_not_found_is_looked_up_the_next_way_and_then_created(vendor, send_with_dependency):
    send_with_dependency((200, NONE), (200, NONE), (201, {"id": 7}), (201, {}))
    assert vendor.paths[:3] == [
        "GET /api/customers?code=c-1",
        "GET /api/customers?email=anna%40example.com",
        "POST /api/customers",
    ]
    made, invoice = vendor.requests[2:]
    assert json.loads(made.body) == {"name": "Анна", "email": "anna@example.com"}
    assert made.headers["Idempotency-Key"] != invoice.headers["Idempotency-Key"]
    assert json.loads(invoice.body)["customer"] == 7


def test_a_reference_without_a_value_is_neither_looked_up_nor_sent(vendor, send_with_dependency):
    send_with_dependency(
        (200, NONE), (201, {"id": 7}), (201, {}), values={"customer": {"code": "c-1", "name": "Анна", "email": ""}}
    )
    assert vendor.paths[:2] == ["GET /api/customers?code=c-1", "POST /api/customers"]
    assert json.loads(vendor.requests[1].body) == {"name": "Анна"}


@pytest.mark.parametrize(
    ("answers", "outcome", "why"),
    [
        ([(200, TWO)], Outcome.REJECTED, "there are several"),
        ([(503, b"")], Outcome.THROTTLED, "the look-up failed"),
        ([(400, b"")], Outcome.RETRY, "the look-up failed"),
        ([(401, b"")], Outcome.BLOCKED, "the credentials are wrong"),
        ([(200, NONE), (200, NONE), (400, b"")], Outcome.REJECTED, "400"),
        ([(200, NONE), (200, NONE), LOST], Outcome.RETRY, "no answer in time"),
        ([(200, NONE), (200, NONE), (201, {})], Outcome.RETRY, "the answer has nothing at id"),
        ([(200, NONE), (200, NONE), (429, b"")], Outcome.THROTTLED, "429"),
    ],
)
def test_without_its_dependency_a_delivery_is_not_sent(vendor, send_with_dependency, answers, outcome, why):
    result = send_with_dependency(*answers)
    assert (result.outcome, result.reason.startswith("needs.customer: ")) == (outcome, True)
    assert why in result.reason
    assert "POST /api/invoices" not in vendor.paths


def test_nothing_is_created_that_could_not_be_looked_up(send_with_dependency):
    result = send_with_dependency(values={"customer": {"name": "Анна", "email": None}})
    assert (result.outcome, result.reason) == (
        Outcome.REJECTED,
        "needs.customer: this delivery has nothing to look it up by",
    )


def test_after_a_refusal_the_dependency_is_looked_up_again(vendor, send_with_dependency):
    assert send_with_dependency((200, ONE), (422, b"")).outcome is Outcome.REJECTED
    send_with_dependency((200, {"items": [{"id": "i-9"}]}), (201, {}))
    assert json.loads(vendor.requests[-1].body)["customer"] == "i-9"


def test_two_deliveries_with_the_same_dependency_create_it_once(vendor, send_with_dependency):
    send_with_dependency((200, ONE), (201, {}))
    (key,) = vendor.shared.values
    vendor.shared.values = {f"{key}:lock": b"another"}
    assert send_with_dependency().outcome is Outcome.THROTTLED


def test_further_calls_take_further_grants(vendor, delivery):
    http = sink(needs=NEED, rate="15/3s")
    assert http.limits == (Limit(key="books", count=15, per_ms=3000),)
    held = delivery(content(http, needs=GIVEN, body={"customer": "<customer>"}))
    vendor.shared.granted = [12_000]
    result = vendor.run(lambda tools: http.send(held, tools), (200, ONE))
    assert (result.outcome, result.after_ms) == (Outcome.THROTTLED, 12_000)
    assert vendor.paths == ["GET /api/customers?code=c-1"]


# OAuth2.

OAUTH = {"oauth2": {"token_url": "https://id.example.com/token", "client_id": "us", "client_secret": "s3cret&"}}


@pytest.fixture
def authorized(vendor, delivery):
    http = sink(auth=OAUTH)
    return lambda *answers: vendor.run(lambda tools: http.send(delivery(content(http)), tools), *answers)


def test_a_token_is_fetched_once(vendor, authorized):
    authorized((200, {"access_token": "t-1", "expires_in": "3600"}), (201, {}))
    authorized((201, {}))
    token, first, second = vendor.requests
    assert token.body == b"grant_type=client_credentials"
    assert base64.b64decode(token.headers["Authorization"].removeprefix("Basic ")) == b"us:s3cret%26"
    assert first.headers["Authorization"] == second.headers["Authorization"] == "Bearer t-1"


def test_every_call_of_an_attempt_has_what_is_left_of_the_sink_s_time(vendor, authorized):
    authorized((200, {"access_token": "t-1"}), (401, b""), (200, {"access_token": "t-2"}), (201, {}))
    assert [request.url.path for request in vendor.requests].count("/token") == 2
    assert [request.timeout_ms > 5_000 for request in vendor.requests] == [True] * 4  # a third of it, at the very least


def test_another_worker_uses_the_token_that_one_fetched(vendor, delivery, authorized):
    authorized((200, {"access_token": "t-1", "expires_in": 3600}), (201, {}))
    other = sink(auth=OAUTH)
    vendor.run(lambda tools: other.send(delivery(content(other)), tools), (201, {}))
    assert vendor.requests[-1].headers["Authorization"] == "Bearer t-1"


@pytest.mark.parametrize("secret_key", [None, SecretStr("0123456789abcdef0123456789abcdef")])
def test_a_stored_token_is_sealed(vendor, delivery, authorized, secret_key):
    """Whoever reads the store learns no token; who has another key, or another secret, fetches one of his own."""
    vendor.secret_key = secret_key
    authorized((200, {"access_token": "t-of-nobody-else"}), (201, {}))
    assert not any(b"t-of-nobody-else" in value for value in vendor.shared.values.values())
    other = sink(auth=OAUTH)
    vendor.run(lambda tools: other.send(delivery(content(other)), tools), (201, {}))
    assert vendor.requests[-1].headers["Authorization"] == "Bearer t-of-nobody-else"
    vendor.secret_key = SecretStr("another key of 32 characters or more")
    other = sink(auth=OAUTH)
    vendor.run(lambda tools: other.send(delivery(content(other)), tools), (200, {"access_token": "t-2"}), (201, {}))
    assert vendor.requests[-1].headers["Authorization"] == "Bearer t-2"


@pytest.mark.parametrize("stored", [b"", b"\x92\xa3t-1\xcf\xff", b"\xff" * 200])
def test_what_stands_in_the_token_s_place_is_no_token(vendor, delivery, authorized, stored):
    authorized((200, {"access_token": "t-1"}), (201, {}))
    (key,) = vendor.shared.values
    vendor.shared.values[key] = stored
    other = sink(auth=OAUTH)
    vendor.run(lambda tools: other.send(delivery(content(other)), tools), (200, {"access_token": "t-2"}), (201, {}))
    assert vendor.requests[-1].headers["Authorization"] == "Bearer t-2"


@pytest.mark.parametrize(
    "lasts", ["nan", "inf", "-inf", "", "soon", -1, 0, 1e300, 10**400, "1e999", None, [], {"a": 1}]
)
def test_an_unreadable_lifetime_is_an_unknown_one(vendor, authorized, lasts):
    result = authorized((200, json.dumps({"access_token": "t-1", "expires_in": lasts}).encode()), (201, {}))
    assert result.outcome is Outcome.DELIVERED
    authorized((201, {}))
    vendor.now += DEFAULT_LIFETIME_MS // 1000
    authorized((200, {"access_token": "t-2"}), (201, {}))


@pytest.mark.parametrize("token", ["t\r\nX-Forged: 1", "t\x00", "токен", " t", "t\u202e"])
def test_a_token_that_no_header_can_hold_is_none(vendor, authorized, token):
    result = authorized((200, {"access_token": token}))
    assert (result.outcome, len(vendor.requests)) == (Outcome.BLOCKED, 1)
    assert "did not return a token" in result.reason


def test_a_refused_token_is_refreshed_once(vendor, authorized):
    authorized((200, {"access_token": "t-1"}), (201, {}))
    result = authorized((401, b""), (200, {"access_token": "t-2"}), (201, {}))
    assert result.outcome is Outcome.DELIVERED
    assert vendor.requests[-1].headers["Authorization"] == "Bearer t-2"
    result = authorized((401, b""), (200, {"access_token": "token-3"}), (401, b"token-3 is wrong"))
    assert (result.outcome, result.response) == (Outcome.BLOCKED, "*** is wrong")


@pytest.mark.parametrize(("lasts", "later", "fetched"), [(3600, 3569, 1), (3600, 3571, 2), (40, 19, 1), (40, 21, 2)])
def test_a_token_that_ends_soon_is_not_used(vendor, authorized, lasts, later, fetched):
    """It is used until half a minute before its end, or for half of its lifetime where that is short."""
    authorized((200, {"access_token": "t-1", "expires_in": lasts}), (201, {}))
    vendor.now += later
    vendor.shared.values.clear()
    authorized(*[(200, {"access_token": "t-2"})] * (fetched - 1), (201, {}))
    assert [request.url.path for request in vendor.requests].count("/token") == fetched


@pytest.mark.parametrize(
    ("answer", "outcome", "why"),
    [
        ((401, {"error": "invalid_client"}), Outcome.BLOCKED, "invalid_client"),
        ((400, {"error": "invalid_scope"}), Outcome.BLOCKED, "invalid_scope"),
        ((403, b"s3cret& is wrong"), Outcome.BLOCKED, "check token_url"),
        ((200, b"<html>"), Outcome.BLOCKED, "did not return a token"),
        ((200, {"access_token": ""}), Outcome.BLOCKED, "did not return a token"),
        ((429, b""), Outcome.THROTTLED, "too many"),
        ((503, b""), Outcome.RETRY, "does not work"),
        (LOST, Outcome.RETRY, "no answer in time"),
        (TransportFailure(kind="tls", reason="expired", sent=False), Outcome.BLOCKED, "expired"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_without_a_token_nothing_is_sent(vendor, authorized, answer, outcome, why):
    result = authorized(answer)
    assert (result.outcome, len(vendor.requests)) == (outcome, 1)
    assert why in result.reason
    assert "s3cret" not in repr(result)


def test_the_form_carries_the_secret_where_they_want_it_there(vendor, delivery):
    http = sink(auth={"oauth2": OAUTH["oauth2"] | {"client_auth": "form", "scope": "a b"}})
    vendor.run(lambda tools: http.send(delivery(content(http)), tools), (200, {"access_token": "t"}), (201, {}))
    form = b"grant_type=client_credentials&scope=a+b&client_id=us&client_secret=s3cret%26"
    assert (vendor.requests[0].body, "Authorization" in vendor.requests[0].headers) == (form, False)


# Probes, certificates, settings.


@pytest.mark.parametrize(
    ("answer", "ok", "message"),
    [
        ((200, b"pong"), True, "it answers 200"),
        ((401, b""), False, "the credentials are wrong"),
        ((404, b""), False, "404 Not Found"),
        (LOST, False, "no answer in time"),
    ],
)
def test_a_probe_is_a_free_call(vendor, answer, ok, message):
    http = sink(probe={"path": "/ping", "query": {"a": "1"}}, success_if={"json": {"id": {"exists": True}}})
    probe = vendor.run(http.probe, answer)
    assert (probe.ok, message in probe.message, vendor.paths) == (ok, True, ["GET /api/ping?a=1"])


def test_without_a_free_call_there_is_no_probe(vendor):
    assert vendor.run(sink().probe) is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = folder / "us.pem", folder / "us.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
               "-subj", "/CN=relay", "-keyout", str(key), "-out", str(cert)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return {"cert": str(cert), "key": str(key)}


def test_a_client_certificate_is_shown_in_one_context(certificate, delivery):
    http = sink(client_certificate=certificate)
    first, second = (http.request(delivery(content(http)), 0) for _ in range(2))
    assert first.tls is second.tls is not None
    assert sink().request(delivery(content(sink())), 0).tls is None


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"client_certificate": {"cert": "/nowhere.pem", "key": "/nowhere.key"}}, "/nowhere.pem: No such file"),
        ({"client_certificate": {"cert": __file__, "key": __file__}}, "are no certificate and its key"),
        ({"on_409": "lookup"}, "lookup is missing"),
        ({"lookup_first": True}, "lookup is missing"),
        ({"on_unknown": "lookup"}, "nothing to look at"),
        ({"lookup": {"path": "/invoices"}}, "give found_if or id_path"),
        ({"lookup": {"path": "/../x", "id_path": "id"}}, "lead out"),
        ({"needs": {"key": NEED["customer"]}}, "the delivery's own key"),
        ({"needs": {"customer": {"lookup": {"path": "/c", "found_if": {"status": 200}}}}}, "has an id_path"),
        ({"probe": {"path": "/a?b=1"}}, "belongs under query"),
        ({"auth": OAUTH | {"bearer": "t"}}, "exactly one"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, why):
    with pytest.raises(ValidationError, match=why):
        sink(**settings)
