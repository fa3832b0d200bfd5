"""What the hook endpoint answers, byte for byte, and what it says about a hook that it refuses."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
import structlog

from relay.errors import StoreUnavailable
from relay.web.ingress import HookEndpoint
from relay.web.refusals import MAX_LINES, WINDOW_SECONDS, HookRefusals

TOKEN, OLD_TOKEN = "a-token-of-acme", "the-token-before"
MAX_BODY = 100
CONFIG = SimpleNamespace(
    sources={"acme": None},
    hook_tokens={"acme": [TOKEN.encode(), OLD_TOKEN.encode()]},
    ingress=SimpleNamespace(max_body=MAX_BODY),
)


class Commit:
    """Stores every hook, or fails with an error."""

    def __init__(self, error: Exception | None = None, duplicate: bool = False) -> None:
        self.error = error
        self.duplicate = duplicate
        self.hooks = []

    async def put(self, hook, started_at):
        if self.error:
            raise self.error
        self.hooks.append(hook)
        return "the-receipt", self.duplicate


class CountingStore:
    """Adds up refused hooks, or is away."""

    def __init__(self) -> None:
        self.refused = {}
        self.away = False

    async def count_refused(self, counts):
        if self.away:
            raise StoreUnavailable("away")
        for key, n in counts.items():
            self.refused[key] = self.refused.get(key, 0) + n


class Endpoint:
    """The endpoint, its answers, what it logged, and a clock that a test moves."""

    def __init__(self, commit: Commit, full: Sequence[str] = ()) -> None:
        self.now = 0.0
        self.store = CountingStore()
        self.refusals = HookRefusals(self.store, clock=lambda: self.now)
        self.logged = []
        self.commit = commit
        self._endpoint = HookEndpoint(lambda: CONFIG, commit, self.refusals, full.__contains__)

    def request(self, source="acme", token=TOKEN, method="POST", body=b"leads[add][0][id]=1", headers=()):
        return asyncio.run(self._request(source, token, method, body, headers))

    async def _request(self, source, token, method, body, headers):
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        scope = {"method": method, "path_params": {"source": source, "token": token}, "headers": list(headers)}
        with structlog.testing.capture_logs() as logged:
            await self._endpoint(scope, receive, send)
        self.logged += logged
        start, end = sent
        return start["status"], dict(start["headers"]), json.loads(end["body"])

    def counted(self):
        asyncio.run(self.refusals.flush())
        return self.store.refused


@pytest.mark.parametrize("token", [TOKEN, OLD_TOKEN])
@pytest.mark.parametrize("duplicate", [False, True])
def test_a_stored_hook_is_answered_202_under_the_new_token_and_the_old_one(token, duplicate):
    endpoint = Endpoint(Commit(duplicate=duplicate))
    status, _, body = endpoint.request(token=token)
    assert (status, body) == (202, {"receipt": "the-receipt", "duplicate": duplicate})
    assert (endpoint.logged, endpoint.counted()) == ([], {})


def test_a_source_that_takes_its_whole_share_of_the_store_is_answered_503_and_counted():
    endpoint = Endpoint(Commit(), full=["acme"])
    status, headers, body = endpoint.request()
    assert (status, headers[b"retry-after"]) == (503, b"30")
    assert body == {"error": "acme takes its whole share of the store; send it again"}
    assert endpoint.counted() == {("acme", "over_share"): 1}
    assert endpoint.commit.hooks == []


GZIP = (b"content-encoding", b"gzip")
TIMED = b"leads[update][0][updated_at]=1"


def stored(body, *headers):
    """Return the hook that the endpoint stores."""
    endpoint = Endpoint(Commit())
    assert endpoint.request(body=body, headers=headers)[0] == 202
    (hook,) = endpoint.commit.hooks
    return hook


@pytest.mark.parametrize(
    ("body", "coding"),
    [(gzip.compress(TIMED), b"gzip"), (zlib.compress(TIMED), b"deflate"), (zlib.compress(TIMED)[2:-4], b"deflate")],
    ids=["gzip", "zlib", "raw deflate"],  # a gzip body has the time in it, and a test's name must not
)
def test_a_compressed_hook_is_kept_as_it_came_and_compared_as_what_it_inflates_to(body, coding):
    hook, plain = stored(body, (b"content-encoding", coding)), stored(TIMED)
    assert (hook.body, hook.content_encoding) == (body, coding.decode())
    assert (hook.digest, hook.timed) == (plain.digest, True)
    assert (plain.body, plain.content_encoding) == (TIMED, "")


@pytest.mark.parametrize("inflated", [b"x" * MAX_BODY + b"x", b"a" * 100_000], ids=["a byte over", "a bomb"])
def test_what_inflates_to_over_the_limit_is_taken_all_the_same(inflated):
    body = gzip.compress(inflated)[: MAX_BODY - 1]
    hook = stored(body, GZIP)
    assert (hook.body, hook.timed) == (body, False)


def test_what_does_not_inflate_is_taken_all_the_same():
    body = gzip.compress(b"a=1")[:-8] + bytes(8)
    assert stored(body, GZIP).body == body


NO_SUCH = {"error": "no such hook address: check the source's name and its token"}
REFUSED = [
    pytest.param(
        {"source": "amce"}, 404, NO_SUCH, {}, {"source": "amce", "reason": "unknown_source"}, ("", "unknown_source"),
        id="unknown source",
    ),
    pytest.param(
        {"token": "wrong"}, 404, NO_SUCH, {}, {"source": "acme", "reason": "wrong_token"}, ("acme", "wrong_token"),
        id="wrong token",
    ),
    pytest.param(
        {"token": "wrong", "method": "GET"}, 404, NO_SUCH, {}, {"source": "acme", "reason": "wrong_token"},
        ("acme", "wrong_token"), id="another method with a wrong token",
    ),
    pytest.param(
        {"method": "GET"}, 405, {"error": "amoCRM hooks are POST requests"}, {b"allow": b"POST"},
        {"source": "acme", "reason": "not_a_post", "method": "GET"}, ("acme", "not_a_post"), id="another method",
    ),
    pytest.param(
        {"body": b"x" * 101}, 413, {"error": "the body is over 100 bytes"}, {b"connection": b"close"},
        {"source": "acme", "reason": "too_large", "limit": 100}, ("acme", "too_large"), id="a large body",
    ),
    pytest.param(
        {"headers": [(b"content-length", b"101")]}, 413, {"error": "the body is over 100 bytes"},
        {b"connection": b"close"}, {"source": "acme", "reason": "too_large", "limit": 100}, ("acme", "too_large"),
        id="a large body that is announced",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "status", "body", "headers", "line", "counter"), REFUSED)
def test_a_refused_hook_is_answered_logged_and_counted_by_its_reason(request_, status, body, headers, line, counter):
    endpoint = Endpoint(Commit())
    got_status, got_headers, got_body = endpoint.request(**request_)
    assert (got_status, got_body) == (status, body)
    assert headers.items() <= got_headers.items()
    assert endpoint.logged == [{"event": "hook.refused", "log_level": "warning", **line}]
    assert endpoint.counted() == {counter: 1}


def test_a_hook_that_the_store_cannot_take_is_answered_503_and_counted_when_the_store_is_back():
    endpoint = Endpoint(Commit(StoreUnavailable("the store is nearly full")))
    status, headers, body = endpoint.request()
    assert (status, body) == (503, {"error": "the store cannot take it now; send it again"})
    assert headers[b"retry-after"] == b"5"
    assert endpoint.logged == [{
        "event": "hook.refused", "log_level": "warning", "source": "acme", "reason": "store_unavailable",
        "error": "the store is nearly full", "bytes": 19,
    }]  # fmt: skip
    endpoint.store.away = True
    assert endpoint.counted() == {}
    endpoint.store.away = False
    endpoint.request()
    assert endpoint.counted() == {("acme", "store_unavailable"): 2}


def test_no_token_of_a_refused_hook_is_logged():
    endpoint = Endpoint(Commit())
    endpoint.request(token="almost-a-token-of-acme")
    endpoint.request(source="amce")
    assert "token-of-acme" not in str(endpoint.logged)


def test_a_flood_is_counted_whole_and_logged_in_few_lines_that_say_how_many_were_left_out():
    endpoint = Endpoint(Commit())
    for n in range(1000):
        endpoint.request(source=f"stranger-{n}")
    assert len(endpoint.logged) == MAX_LINES
    endpoint.request(token="wrong")  # another reason has lines of its own
    assert endpoint.logged[-1]["reason"] == "wrong_token"
    endpoint.now += WINDOW_SECONDS
    endpoint.request(source="x" * 5000)
    assert (endpoint.logged[-1]["left_out"], len(endpoint.logged[-1]["source"])) == (1000 - MAX_LINES, 60)
    assert endpoint.counted() == {("", "unknown_source"): 1001, ("acme", "wrong_token"): 1}
