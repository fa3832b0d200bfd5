"""The generic HTTP sink: its content, its requests, what answers mean. No sockets except for one delivery."""

import asyncio
import base64
import hashlib
import json
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from pydantic import ValidationError
from yarl import URL

from relay.errors import RejectDelivery
from relay.model import Outcome
from relay.sinks.base import MAX_RESPONSE
from relay.sinks.http.sink import HttpSink
from relay.sinks.tools import Tools
from relay.transport import Response, Session, TransportFailure

NOW = 1_790_000_123_456
URL_ = "https://books.example.com/api"


def sink(**settings) -> HttpSink:
    return HttpSink("accounting", HttpSink.Settings(**{"type": "http", "url": URL_, **settings}))


def answer(status: int, body: bytes = b"", **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=CIMultiDict(names), body=body)


@pytest.fixture
def read(delivery):
    """Read an answer to a request that a sink with these settings made of this content."""

    def read(said, params=None, **settings):
        http = sink(**settings)
        return http.read(http.request(delivery(http.content(params or {"body": {}})), NOW), said, NOW)

    return read


@pytest.fixture
def request_of(delivery):
    def request_of(params, **settings):
        http = sink(**settings)
        return http.request(delivery(http.content(params)), NOW)

    return request_of


# What an answer means. With a key (the default) a repeat is recognised; without, only a person can tell.

SAME = [
    *[(status, Outcome.DELIVERED) for status in (200, 201, 202, 204)],
    *[(status, Outcome.REJECTED) for status in (400, 404, 405, 406, 409, 411, 413, 414, 415, 418, 422, 451)],
    *[(status, Outcome.BLOCKED) for status in (301, 302, 304, 307, 308, 401, 402, 403, 407, 410)],
    (425, Outcome.RETRY),
    (429, Outcome.THROTTLED),
]
MAYBE_APPLIED = [408, 500, 501, 502, 503, 504, 520, 599]


@pytest.mark.parametrize("key", ["Idempotency-Key", False])
@pytest.mark.parametrize(("status", "outcome"), SAME)
def test_a_clear_answer_means_the_same_with_and_without_a_key(read, status, outcome, key):
    result = read(answer(status), idempotency_key=key)
    assert (result.outcome, result.status) == (outcome, status)
    assert result.reason.startswith(str(status))


@pytest.mark.parametrize("status", MAYBE_APPLIED)
@pytest.mark.parametrize(
    ("settings", "params", "outcome"),
    [
        ({"idempotency": "honoured"}, {}, Outcome.RETRY),
        ({}, {}, Outcome.UNKNOWN),
        ({"idempotency": "none"}, {}, Outcome.UNKNOWN),
        ({"idempotency": "honoured", "on_unknown": "hold"}, {}, Outcome.UNKNOWN),
        ({"on_unknown": "retry"}, {}, Outcome.UNKNOWN),
        ({"method": "PUT"}, {}, Outcome.RETRY),
        ({}, {"method": "delete"}, Outcome.RETRY),
        ({"method": "PUT"}, {"method": "PATCH"}, Outcome.UNKNOWN),
    ],
)
def test_an_answer_that_leaves_it_open_is_retried_only_where_that_is_harmless(read, status, settings, params, outcome):
    assert read(answer(status), params, **settings).outcome is outcome


@pytest.mark.parametrize(
    ("kind", "sent", "with_key", "without_key"),
    [
        ("dns", False, Outcome.RETRY, Outcome.RETRY),
        ("connect", False, Outcome.RETRY, Outcome.RETRY),
        ("timeout_before_write", False, Outcome.RETRY, Outcome.RETRY),
        ("reset", False, Outcome.RETRY, Outcome.RETRY),
        ("tls", False, Outcome.BLOCKED, Outcome.BLOCKED),
        ("timeout", True, Outcome.RETRY, Outcome.UNKNOWN),
        ("reset", True, Outcome.RETRY, Outcome.UNKNOWN),
        ("protocol", True, Outcome.RETRY, Outcome.UNKNOWN),
    ],
)
def test_what_a_missing_answer_means_depends_on_whether_the_request_left(read, kind, sent, with_key, without_key):
    failure = TransportFailure(kind=kind, reason="it broke", sent=sent)
    assert read(failure, idempotency="honoured").outcome is with_key
    assert read(failure, idempotency="none").outcome is without_key
    assert read(failure).reason == "it broke"


@pytest.mark.parametrize(
    ("on_409", "outcome"),
    [("already", Outcome.DELIVERED), ("retry", Outcome.RETRY), ("rejected", Outcome.REJECTED)],
)
def test_a_409_means_what_the_operator_says(read, on_409, outcome):
    assert read(answer(409), on_409=on_409).outcome is outcome


@pytest.mark.parametrize(
    ("header", "after_ms"),
    [
        ("7", 7_000),
        ("0", 0),
        ("Mon, 21 Sep 2026 14:15:30 GMT", 1_790_000_130_000 - NOW),
        ("Mon, 21 Sep 2026 14:15:30 -0000", 1_790_000_130_000 - NOW),
        ("Mon, 21 Sep 2020 14:15:30 GMT", 0),
        ("99999999", 24 * 3_600_000),
        ("9" * 5_000, 24 * 3_600_000),
        ("Mon, 21 Sep 2099 14:15:30 GMT", 24 * 3_600_000),
        ("soon", None),
        ("-5", None),
        ("٧", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503, 403])
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(read, status, header, after_ms):
    assert read(answer(status, Retry_After=header)).after_ms == after_ms


def test_the_story_keeps_the_beginning_of_their_answer_without_our_secrets(read):
    said = answer(401, b"unknown token s3cret-token: " + "ы".encode() * 1000)
    result = read(said, auth={"bearer": "s3cret-token"})
    assert result.response.startswith("unknown token ***: ыыы")
    assert len(result.response) == MAX_RESPONSE
    assert "s3cret" not in repr(result)


def test_an_answer_that_is_not_text_is_kept_readable(read):
    assert read(answer(400, b"\x80\xff<")).response == "��<"


@pytest.mark.parametrize(
    ("status", "params", "scope"),
    [
        (401, {"path": "/invoices"}, "sink"),
        (410, {"path": "/invoices"}, "route"),
        (308, {"path": "/invoices"}, "route"),
        (410, {}, "sink"),
        (308, {"query": {"a": "1"}}, "sink"),
    ],
)
def test_an_address_that_moved_blocks_only_the_route_that_gave_it(read, status, params, scope):
    assert read(answer(status), params).scope == scope


def test_a_redirect_is_explained_without_its_query(read):
    reason = read(answer(308, Location="https://new.example.com/api?session=abc")).reason
    assert "https://new.example.com/api:" in reason
    assert "abc" not in reason


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        (
            "https://x.example/people/anna@example.com/79161234567",
            "points to https://x.example/people/a***@example.com/7***4567:",
        ),
        ("https://x.example/to#anna@example.com", "points to https://x.example/to:"),
        ("https://anna:pass-word-1@x.example/to", "points to https://anna:***@x.example/to:"),
        ("https://x.example/" + "anna@example.com/" * 60_000, "points to an address that is too long to show:"),
    ],
)
def test_a_redirect_names_no_people_and_is_short(read, location, shown):
    reason = read(answer(302, Location=location)).reason
    assert shown in reason
    assert len(reason) < 400


# What is sent.


def test_a_body_becomes_json_in_the_order_of_the_route_and_money_stays_exact(request_of):
    made = request_of({"body": {"title": "Счёт", "amount": Decimal("150000.10"), "minor": 15000010, "vat": None}})
    assert made.body == '{"title":"Счёт","amount":"150000.10","minor":15000010,"vat":null}'.encode()
    assert (made.method, made.headers["content-type"]) == ("POST", "application/json")


def test_a_form_repeats_lists_and_drops_nulls(request_of):
    made = request_of({"form": {"name": "Иван & Ко", "tags": ["a", "b"], "vip": True, "none": None, "n": 5}})
    assert made.body == b"name=%D0%98%D0%B2%D0%B0%D0%BD+%26+%D0%9A%D0%BE&tags=a&tags=b&vip=true&n=5"
    assert made.headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_text_body_is_sent_as_it_is(request_of):
    made = request_of({"body": "<Счёт/>\n", "headers": {"content-type": "application/xml"}})
    assert made.body == "<Счёт/>\n".encode()
    assert made.headers.getall("Content-Type") == ["application/xml"]


def test_without_a_body_nothing_is_claimed_about_one(request_of):
    made = request_of({"method": "get"})
    assert (made.method, made.body) == ("GET", b"")
    assert "content-type" not in made.headers


@pytest.mark.parametrize(
    ("url", "path", "query", "joined"),
    [
        (URL_, "/invoices", {}, URL_ + "/invoices"),
        (URL_, "invoices", {}, URL_ + "/invoices"),
        (URL_ + "/", "/invoices/", {}, URL_ + "/invoices/"),
        (URL_, "", {}, URL_),
        (URL_ + "/", "", {}, URL_ + "/"),
        (URL_, "/", {}, URL_ + "/"),
        ("https://books.example.com", "/a/b", {}, "https://books.example.com/a/b"),
        (URL_, "/счёт 7", {}, URL_ + "/%D1%81%D1%87%D1%91%D1%82%207"),
        (URL_, "/50%/a%2Fb", {}, URL_ + "/50%25/a%2Fb"),
        (URL_, "/a:b@evil.example.com", {}, URL_ + "/a:b@evil.example.com"),
        (URL_, "/x", {"q": "a&b=c", "n": [1, 2], "no": None}, URL_ + "/x?q=a%26b%3Dc&n=1&n=2"),
        (URL_ + "?tenant=7", "/x", {"q": "1"}, URL_ + "/x?tenant=7&q=1"),
        (URL_ + "?tenant=7", "", {}, URL_ + "?tenant=7"),
        ("https://счета.example.com/апи", "/x", {}, "https://xn--80aj9afx.example.com/%D0%B0%D0%BF%D0%B8/x"),
    ],
)
def test_a_path_is_joined_to_the_sinks_address(request_of, url, path, query, joined):
    assert str(request_of({"path": path, "query": query}, url=url).url) == joined


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/../admin", "lead out"),
        ("/invoices/..", "lead out"),
        ("/%2e%2E/admin", "lead out"),
        ("/a/./b", "lead out"),
        ("/..%2fadmin", "lead out"),
        ("/..\\admin", "characters"),
        ("/%5c..", "characters"),
        ("/a\r\nHost: x", "characters"),
        ("/a%00b", "characters"),
        ("//evil.example.com/", "empty part"),
        ("/leads//notes", "is a value missing"),
        ("/%2Fevil", "empty part"),
        ("/a?admin=1", "belongs under query"),
        ("/a#b", "belongs under query"),
    ],
)
def test_a_path_that_leaves_the_address_is_rejected(path, why):
    with pytest.raises(RejectDelivery, match=why):
        sink().content({"path": path})


@given(st.text(max_size=30))
def test_no_rendered_path_ever_leaves_the_address(path):
    try:
        content = sink().content({"path": path})
    except RejectDelivery:
        return
    url = URL(sink().describe(content)["url"])  # yarl would resolve dots and change hosts, as a client may
    assert url.host == "books.example.com"
    assert url.path.startswith("/api")
    assert not url.query_string


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"query": {"a": {"b": 1}}}, r"query\.a: takes a text"),
        ({"form": {"a": [[1]]}}, r"form\.a: takes a text"),
        ({"form": "a=b"}, "form: takes a mapping"),
        ({"headers": ["a"]}, "headers: takes a mapping"),
        ({"headers": {"X-Name": "a\r\nHost: b"}}, r"headers\.X-Name: .* one line"),
        ({"headers": {"X Name": "a"}}, r"headers\.X Name: .* cannot be a header's name"),
        ({"headers": {"Content-length": "5"}}, r"headers\.Content-length: is written by the relay itself"),
        ({"method": "TRACE"}, "TRACE.* is not one of GET, POST"),
        ({"body": "x" * 1_048_577}, "1048577 bytes"),
    ],
)
def test_content_that_can_never_be_sent_is_rejected_with_its_place(params, why):
    with pytest.raises(RejectDelivery, match=why):
        sink().content(params)


def test_the_key_is_the_deliverys_id_under_the_configured_name(request_of, delivery):
    assert request_of({}).headers["Idempotency-Key"] == delivery().id
    assert request_of({}, idempotency_key="X-Request-Id").headers["X-Request-Id"] == delivery().id
    assert "Idempotency-Key" not in request_of({}, idempotency_key=False).headers


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        ({"bearer": "t-1"}, "Authorization", "Bearer t-1"),
        ({"basic": {"username": "пётр", "password": "p:w"}}, "Authorization", None),
        ({"header": {"name": "X-Api-Key", "value": "k-1"}}, "X-Api-Key", "k-1"),
    ],
)
def test_credentials_come_from_the_settings_and_never_from_the_route(request_of, auth, name, value):
    made = request_of({"headers": {name.lower(): "forged"}}, auth=auth)
    expected = value or "Basic " + base64.b64encode("пётр:p:w".encode()).decode()
    assert made.headers.getall(name) == [expected]


def test_headers_of_the_route_win_over_those_of_the_sink(request_of):
    made = request_of({"headers": {"x-b": 2}}, headers={"X-A": "1", "X-B": "1", "Content-Type": "application/hal+json"})
    assert (made.headers["X-A"], made.headers.getall("X-B")) == ("1", ["2"])
    assert request_of({"body": {}}, headers={"content-type": "a/b"}).headers.getall("Content-Type") == ["a/b"]


# Standard Webhooks. The HMAC is written out here, so that the test does not share the product's mistake.


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104, for keys of at most a block."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).digest()


KEY = bytes(range(32))
WHSEC = "whsec_" + base64.b64encode(KEY).decode()


def test_every_secret_signs_id_time_and_body(request_of, delivery):
    made = request_of({"body": {"amount": "1.00"}}, signing_secret=[WHSEC, "plain text"])
    signed = f"{delivery().id}.1790000123.".encode() + b'{"amount":"1.00"}'
    expected = [base64.b64encode(hmac_sha256(key, signed)).decode() for key in (KEY, b"plain text")]
    assert made.headers["webhook-id"] == delivery().id
    assert made.headers["webhook-timestamp"] == "1790000123"
    assert made.headers["webhook-signature"] == f"v1,{expected[0]} v1,{expected[1]}"


def test_the_signature_is_the_one_that_the_specification_gives(delivery):
    """The example of the Standard Webhooks reference libraries."""
    http = sink(signing_secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    example = delivery(b'{"encoding":"text"}\n{"test": 2432232314}', id="msg_p5jXN8AQM9LWM0D4loKWxJek")
    made = http.request(example, 1_614_265_330_000)
    assert made.headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_attempts_differ_only_in_their_time_and_signature(delivery):
    http = sink(signing_secret=WHSEC)
    held = delivery(http.content({"path": "/invoices", "body": {"b": 1, "a": [1, 2]}}))
    first, second = http.request(held, NOW), http.request(held, NOW + 60_000)
    assert (first.body, first.url, first.method) == (second.body, second.url, second.method)
    changed = {name for name in first.headers if first.headers[name] != second.headers[name]}
    assert changed == {"webhook-timestamp", "webhook-signature"}


def test_mending_the_address_or_the_key_heals_what_is_waiting(delivery):
    held = delivery(sink(auth={"bearer": "old"}).content({"path": "/invoices", "body": {"a": 1}}))
    made = sink(url="https://new.example.com", auth={"bearer": "new"}).request(held, NOW)
    assert str(made.url) == "https://new.example.com/invoices"
    assert made.headers["Authorization"] == "Bearer new"
    assert b"old" not in held.content


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ).filter(lambda body: not isinstance(body, str) and body is not None)
)
def test_any_json_body_is_stored_and_sent_whole(body):
    content = sink().content({"body": body})
    assert json.loads(content.partition(b"\n")[2]) == body
    assert sink().describe(content)["body"] == body


# What people see.


def test_explain_shows_the_request_without_secrets():
    http = sink(
        auth={"header": {"name": "X-Books", "value": "k-1"}},
        headers={"X-Tenant": "7", "X-Access-Token": "t-1"},
        signing_secret=[WHSEC],
    )
    shown = http.describe(http.content({"path": "/invoices", "body": {"amount": "1.00"}}))
    assert shown == {
        "method": "POST",
        "url": URL_ + "/invoices",
        "headers": {
            "Content-Type": "application/json",
            "X-Tenant": "7",
            "X-Access-Token": "***",
            "X-Books": "***",
            "Idempotency-Key": "<the delivery's id>",
            "webhook-signature": "<made at every attempt, 1 secret(s)>",
        },
        "body": {"amount": "1.00"},
    }


@pytest.mark.parametrize(
    ("params", "body"), [({"form": {"a": "1 2"}}, "a=1+2"), ({"body": "<a/>"}, "<a/>"), ({"method": "GET"}, "")]
)
def test_explain_shows_bodies_that_are_not_json_as_text(params, body):
    assert sink().describe(sink().content(params))["body"] == body


def test_settings_show_no_secret():
    settings = HttpSink.Settings(
        type="http",
        url=URL_,
        auth={"basic": {"username": "u", "password": "s3cret"}},
        headers={"X-Token": "s3cret"},
        signing_secret="s3cret",
    )
    assert "s3cret" not in repr(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("settings", "where", "right"),
    [
        ({"url": "books.example.com"}, "url", "such as https://books.example.com/api"),
        ({"url": "ftp://books.example.com"}, "url", "such as https://"),
        ({"url": "https://u:p@books.example.com"}, "url", "write it under auth"),
        ({"url": URL_ + "#top"}, "url", "remove it"),
        ({"url": "https://" + "a" * 64 + ".example.com"}, "url", "host name"),
        ({"auth": {}}, "auth", "exactly one of bearer, basic, header and oauth2"),
        ({"auth": {"bearer": "a", "header": {"name": "b", "value": "c"}}}, "auth", "exactly one"),
        ({"auth": {"bearer": "a\nb"}}, "auth", "one line"),
        ({"auth": {"basic": {"username": "a:b", "password": "c"}}}, "auth", "match"),
        ({"headers": {"a b": "c"}}, "headers", "header's name"),
        ({"idempotency_key": True}, "idempotency_key", ""),
        ({"signing_secret": "whsec_not base64"}, "signing_secret", "as it was issued"),
        ({"signing_secret": []}, "signing_secret", "at least 1"),
        ({"timeout": "30s"}, "timeout", "at most 20s"),
        ({"timeout": "0s"}, "timeout", "more than 0"),
        ({"retry": []}, "retry", "attempts: 1"),
        ({"retry": ["5m", "1hour"]}, "retry", "did you mean 1h"),
        ({"colour": "red"}, "colour", "not permitted"),
    ],
)
def test_wrong_settings_are_refused_at_their_place(settings, where, right):
    with pytest.raises(ValidationError) as refused:
        sink(**settings)
    errors = refused.value.errors()
    assert {error["loc"][0] for error in errors} == {where}
    assert any(right in error["msg"] for error in errors)


def test_common_settings_become_policy_and_limits():
    http = sink(retry=["5m", "15m", "15m", "1h"], rate="15/3s", blocked_for="5m", max_age="2d")
    assert (http.policy.attempts, http.policy.blocked_ms, http.policy.max_age_ms) == (5, 300_000, 172_800_000)
    assert [(limit.key, limit.count, limit.per_ms) for limit in http.limits] == [("accounting", 15, 3_000)]
    assert sink().limits == ()
    assert sink(retry=["1s"], attempts=9).policy.attempts == 9


@pytest.mark.parametrize(
    ("settings", "params", "repeatable"),
    [
        ({}, {}, False),
        ({"idempotency": "none"}, {}, False),
        ({"idempotency": "lookup", "lookup": {"id_path": "id"}}, {}, False),
        ({"idempotency": "honoured"}, {}, True),
        ({"on_unknown": "retry"}, {}, True),
        ({"idempotency": "honoured", "on_unknown": "hold"}, {}, False),
        ({"method": "PUT"}, {}, True),
        ({"method": "PUT"}, {"method": "POST"}, False),
        ({"on_unknown": "hold"}, {"method": "delete"}, True),
    ],
)
def test_a_delivery_is_repeatable_where_a_repetition_does_no_harm(settings, params, repeatable, delivery):
    http = sink(**settings)
    assert http.repeatable(delivery(http.content({"path": "/x", **params}))) is repeatable


def test_settings_survive_being_written_and_read_again():
    settings = HttpSink.Settings(type="http", url=URL_, rate="4/s", retry=["5m"], timeout="250ms")
    assert HttpSink.Settings(**settings.model_dump(exclude_unset=True)) == settings


def test_a_delivery_arrives_and_its_answer_is_read(delivery):
    """A whole attempt over a socket."""
    seen = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        seen.append((head, await reader.readexactly(length)))
        writer.write(b'HTTP/1.1 201 Created\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{"id": 7}')
        writer.close()
        await writer.wait_closed()

    async def run():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        http = sink(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api")
        held = delivery(http.content({"path": "/invoices", "body": {"amount": "1.00"}}))
        async with server, Session() as session:
            tools = Tools(session=session, shared=None, now=time.time)
            return [await http.send(held, tools) for _ in range(2)]

    first, second = asyncio.run(run())
    assert (first.outcome, first.status, first.response) == (Outcome.DELIVERED, 201, '{"id": 7}')
    assert first == second
    assert seen[0] == seen[1]
    assert seen[0][0].startswith(b"POST /api/invoices HTTP/1.1\r\n")
    assert seen[0][1] == b'{"amount":"1.00"}'
