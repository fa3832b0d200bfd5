"""Take hooks: read the body, store it as it came, answer. Nothing is parsed on the way in."""

import hmac
import time
from collections.abc import Callable, Iterable
from typing import Protocol

import uuid_utils
from starlette.types import Receive, Scope, Send

from relay.amocrm.change_time import carries_change_time
from relay.amocrm.content_encoding import inflate
from relay.amocrm.remarks import ignore
from relay.config.config import Config
from relay.errors import Malformed, StoreUnavailable
from relay.store.body import digest
from relay.store.records import Hook
from relay.tracing.tracer import UNTRACED, Attributes, Span, Tracer
from relay.web.group_commit import AMOCRM_WAITS_SECONDS
from relay.web.json_response import send_encoded, send_json
from relay.web.refusals import (
    NOT_A_POST,
    OVER_SHARE,
    STORE_UNAVAILABLE,
    TOO_LARGE,
    UNKNOWN_PATH,
    UNKNOWN_SOURCE,
    WRONG_TOKEN,
    HookRefusals,
)

MAX_HEADER = 200  # characters of a header that are kept
_KEPT_HEADERS = {
    name.encode(): name
    for name in (
        "content-type", "content-encoding", "content-length", "user-agent", "x-amocrm-requestid", "traceparent",
    )
}  # fmt: skip
_NO_TOKEN = b"\0" * 32
_JSON_BOOL = {False: b"false", True: b"true"}


class BodyTooLargeError(Exception):
    """The body is over the limit. The rest of it was not read."""


class ClientGoneError(Exception):
    """The client hung up before its body was whole."""


class HookWriter(Protocol):
    """What stores hooks."""

    async def put(self, hook: Hook, started_at: float) -> tuple[str, bool]:
        """Store a hook; returns the receipt's id, and whether it is a duplicate. Raises StoreUnavailable."""

    def answered_late(self, id: str, source: str) -> None:
        """Note that the answer left too late, after which amoCRM sends the hook again."""


class HookEndpoint:
    """The endpoint `POST /hooks/{source}/{token}`, as an ASGI application. `over_share`: a source is full."""

    def __init__(
        self,
        config: Callable[[], Config],
        commit: HookWriter,
        refusals: HookRefusals,
        over_share: Callable[[str], bool] = lambda _: False,
        tracer: Tracer | None = None,
    ) -> None:
        self._config = config
        self._over_share = over_share
        self._commit = commit
        self._refusals = refusals
        self._tracer = tracer or Tracer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started_at = time.monotonic()
        source, token = scope["path_params"]["source"], scope["path_params"]["token"]
        config = self._config()
        known = source in config.sources
        if not _is_hook_token(config, source, token):
            self._refusals.add(WRONG_TOKEN if known else UNKNOWN_SOURCE, source, known=known)
            await send_json(send, 404, {"error": "no such hook address: check the source's name and its token"})
            return
        if scope["method"] != "POST":
            self._refusals.add(NOT_A_POST, source, method=scope["method"])
            await send_json(send, 405, {"error": "amoCRM hooks are POST requests"}, {"allow": "POST"})
            return
        if self._over_share(source):
            self._refusals.add(OVER_SHARE, source)
            error = {"error": f"{source} takes its whole share of the store; send it again"}
            await send_json(send, 503, error, {"retry-after": "30", "connection": "close"})
            return
        headers = _kept_headers(scope["headers"])
        try:
            body = await _read_body(receive, config.ingress.max_body, headers.get("content-length", ""))
        except BodyTooLargeError:
            self._refusals.add(TOO_LARGE, source, limit=config.ingress.max_body)
            error = {"error": f"the body is over {config.ingress.max_body} bytes"}
            await send_json(send, 413, error, {"connection": "close"})
            return
        except ClientGoneError:
            return
        span = self._tracer.start_trace("hook", headers.get("traceparent", ""), started_at)
        await self._store(send, _build_hook(source, headers, body, config.ingress.max_body, span), started_at, span)

    async def _store(self, send: Send, hook: Hook, started_at: float, span: Span) -> None:
        try:
            id, duplicate = await self._commit.put(hook, started_at)
        except StoreUnavailable as error:
            _end_span(span, hook, 503)
            self._refusals.add(STORE_UNAVAILABLE, hook.source, error=str(error), bytes=len(hook.body))
            await send_json(send, 503, {"error": "the store cannot take it now; send it again"}, {"retry-after": "5"})
            return
        _end_span(span, hook, 202, id, duplicate)
        await send_encoded(send, 202, b'{"receipt":"%b","duplicate":%b}' % (id.encode(), _JSON_BOOL[duplicate]))
        if time.monotonic() - started_at > AMOCRM_WAITS_SECONDS:
            self._commit.answered_late(id, hook.source)


def _end_span(span: Span, hook: Hook, status: int, receipt: str = "", duplicate: bool = False) -> None:
    if span is UNTRACED:
        return
    about: Attributes = {"relay.source": hook.source, "relay.receipt": receipt, "relay.duplicate": duplicate}
    sizes: Attributes = {"http.request.body.size": len(hook.body), "http.response.status_code": status}
    span.end({**about, **sizes}, failed=not receipt)


def refuse_unknown_path(refusals: HookRefusals, method: str, path: str) -> str:
    """Return what to say to a request whose path is none; where it may have been a hook, count and log it.

    The path is not logged: what stands in it may be a token.
    """
    parts = path.strip("/").split("/")
    if method != "POST" and parts[0] != "hooks":
        return "Not Found"
    refusals.add(UNKNOWN_PATH, "", known=False, method=method, parts=len(parts))
    return "no such path: a hook's address ends with /hooks/SOURCE/TOKEN"


def _is_hook_token(config: Config, source: str, token: str) -> bool:
    """Compare in constant time, also where the source does not exist."""
    known = config.hook_tokens.get(source)
    # All of them are compared, also after one that is equal.
    equal = [hmac.compare_digest(one, token.encode()) for one in known or (_NO_TOKEN,)]
    return known is not None and any(equal)


def _kept_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    kept = {}
    for name, value in headers:
        if name in _KEPT_HEADERS:
            kept[_KEPT_HEADERS[name]] = value[:MAX_HEADER].decode("latin-1")
    return kept


async def _read_body(receive: Receive, limit: int, content_length: str) -> bytes:
    """Read a body of at most `limit` bytes, and no chunk more. Raises BodyTooLargeError, ClientGoneError."""
    if content_length.isascii() and content_length.isdigit() and int(content_length) > limit:
        raise BodyTooLargeError
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLargeError
        return body
    chunks: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise BodyTooLargeError
        if not message.get("more_body", False):
            return b"".join(chunks)
        message = await receive()
    raise ClientGoneError


def _build_hook(source: str, headers: dict[str, str], body: bytes, max_size: int, span: Span) -> Hook:
    content_encoding = headers.get("content-encoding", "")
    inflated = _inflate(body, content_encoding, max_size)
    return Hook(
        id=str(uuid_utils.uuid7()),
        source=source,
        digest=digest(inflated),
        timed=carries_change_time(inflated),
        request_id=headers.get("x-amocrm-requestid", "").replace(" ", ""),
        content_type=headers.get("content-type", ""),
        content_encoding=content_encoding,
        user_agent=headers.get("user-agent", ""),
        body=body,
        trace=span.trace,
    )


def _inflate(body: bytes, content_encoding: str, max_size: int) -> bytes:
    """Return a body as its repetitions are compared; what cannot be inflated as it came: routing says why."""
    try:
        return inflate(body, content_encoding, max_size, ignore)
    except Malformed:
        return body
