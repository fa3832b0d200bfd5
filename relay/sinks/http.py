"""Any HTTP endpoint: accounting, a CRM of one's own, a script. Content in, request out, answer read as an outcome."""

from collections.abc import Mapping
from http.client import responses
from typing import Literal, TypeAlias, get_args

import msgspec
from multidict import CIMultiDict

from relay.errors import RejectDelivery
from relay.model import Delivery, Json, Outcome, Record, Result
from relay.sinks.address import encode_pairs, join, safe_path
from relay.sinks.base import Sink
from relay.sinks.http_settings import HttpSettings, Method, header_name, header_value, is_secret
from relay.sinks.retry_after import retry_after
from relay.sinks.signing import secret_key, signed
from relay.sinks.tools import Tools
from relay.sinks.transport import Request, Response, TransportFailure, call, timeouts

Encoding: TypeAlias = Literal["json", "form", "text", "none"]

_CONTENT_TYPES: dict[Encoding, str] = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "text": "text/plain; charset=utf-8",
}

LONGEST_BODY = 1024 * 1024
RESPONSE_SHOWN = 500

_OUTCOMES = {
    401: Outcome.BLOCKED,
    402: Outcome.BLOCKED,
    403: Outcome.BLOCKED,
    407: Outcome.BLOCKED,
    408: Outcome.UNKNOWN,
    410: Outcome.BLOCKED,
    425: Outcome.RETRY,
    429: Outcome.THROTTLED,
}
_OUTCOMES_BY_CLASS = {2: Outcome.DELIVERED, 3: Outcome.BLOCKED, 4: Outcome.REJECTED}
_ON_409 = {"already": Outcome.DELIVERED, "retry": Outcome.RETRY, "rejected": Outcome.REJECTED}

_REPEATABLE_METHODS = frozenset({"GET", "PUT", "DELETE"})  # RFC 9110, 9.2.2

_ADVICE = {
    401: "they do not know us: check the sink's auth",
    403: "they know us and refuse: check the key's rights",
    407: "a proxy wants a password",
    409: "they say it conflicts: set the sink's on_409 if that means it is already there",
    410: "the address is gone: ask for the new one",
}


class Head(Record, frozen=True, omit_defaults=True):
    """The first line of a stored content; the body follows it as it will be sent. Empty means: as the sink says."""

    method: str = ""
    path: str = ""  # quoted, begins with /
    query: str = ""  # encoded
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    encoding: Encoding = "json"


_read_head = msgspec.json.Decoder(Head).decode


class HttpSink(Sink):
    """Send content to an address under today's credentials."""

    type = "http"
    Settings = HttpSettings
    content_keys = dict.fromkeys(("path", "method", "headers", "query", "body", "form"), False)
    exclusive_keys = (frozenset({"body", "form"}),)

    def __init__(self, name: str, settings: HttpSettings) -> None:
        super().__init__(name, settings)
        self._settings = settings
        self._url = join(settings.url)
        self._timeout = timeouts(settings.timeout)
        self._keys = [secret_key(secret) for secret in settings.signing_secrets]
        self._secrets = tuple(filter(None, settings.secrets()))
        self._credentials = dict([settings.auth.as_header()]) if settings.auth else {}
        own = {header: value.get_secret_value() for header, value in settings.headers.items()}
        self._headers = {encoding: _headers(encoding, own, self._credentials) for encoding in get_args(Encoding)}

    def content(self, params: Mapping[str, object]) -> bytes:
        """Make the content: a line of JSON that says where, then the body. Raise RejectDelivery."""
        encoding, body = _body(params)
        if len(body) > LONGEST_BODY:
            raise RejectDelivery(f"body: {len(body)} bytes, and at most {LONGEST_BODY} are sent")
        head = Head(
            method=_method(params.get("method")),
            path=safe_path(str(params.get("path") or "")),
            query=encode_pairs("query", _mapping("query", params)),
            headers=dict(_header(*header) for header in _mapping("headers", params).items()),
            encoding=encoding,
        )
        return msgspec.json.encode(head) + b"\n" + body

    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Make one attempt."""
        request = self.request(delivery, _ms(tools.now()))
        return self.read(request, await call(tools.session, request), _ms(tools.now()))

    def request(self, delivery: Delivery, now: int) -> Request:
        """Build the request of a delivery. `now` (epoch milliseconds) goes into the signature only. Pure."""
        line, _, body = delivery.content.partition(b"\n")
        head = _read_head(line)
        headers = self._headers_of(head)
        if self._settings.idempotency_key:
            headers[self._settings.idempotency_key] = delivery.id
        if self._keys:
            headers.update(signed(delivery.id, now, body, self._keys))
        return Request(
            method=head.method or self._settings.method,
            url=join(self._settings.url, head.path, head.query),
            headers=headers,
            body=body,
            timeout=self._timeout,
        )

    def read(self, request: Request, answer: Response | TransportFailure, now: int) -> Result:
        """Say what an answer, or its absence, means. `now` (epoch milliseconds) is for Retry-After dates. Pure."""
        if isinstance(answer, TransportFailure):
            return Result(outcome=self._outcome_of_failure(request, answer), reason=self._masked(answer.reason))
        return Result(
            outcome=self._outcome_of_status(request, answer.status),
            reason=self._masked(_reason(answer)),
            status=answer.status,
            after_ms=None if answer.status < 300 else retry_after(answer.headers.get("Retry-After"), now),
            scope=self._scope(request, answer.status),
            response=self._masked(answer.body[: 4 * RESPONSE_SHOWN].decode(errors="replace"))[:RESPONSE_SHOWN],
        )

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Show the request as it would be sent today, secrets masked."""
        line, _, body = content.partition(b"\n")
        head = _read_head(line)
        shown = {name: "***" if self._hides(name) else value for name, value in self._headers_of(head).items()}
        if self._settings.idempotency_key:
            shown[self._settings.idempotency_key] = "<the delivery's id>"
        if self._keys:
            shown["webhook-signature"] = f"<made at every attempt, {len(self._keys)} secret(s)>"
        body_shown: Json = msgspec.json.decode(body) if head.encoding == "json" else body.decode()
        return {
            "method": head.method or self._settings.method,
            "url": str(join(self._settings.url, head.path, head.query)),
            "headers": shown,
            "body": body_shown,
        }

    def _headers_of(self, head: Head) -> CIMultiDict[str]:
        headers = self._headers[head.encoding].copy()
        if head.headers:
            headers.update(head.headers)
            headers.update(self._credentials)  # a route may not speak for the sink
        return headers

    def _outcome_of_status(self, request: Request, status: int) -> Outcome:
        if status == 409:
            return _ON_409[self._settings.on_409]
        found = _OUTCOMES.get(status) or _OUTCOMES_BY_CLASS.get(status // 100, Outcome.UNKNOWN)
        return self._repeated(request) if found is Outcome.UNKNOWN else found

    def _outcome_of_failure(self, request: Request, failure: TransportFailure) -> Outcome:
        if failure.kind == "tls":
            return Outcome.BLOCKED
        return self._repeated(request) if failure.sent else Outcome.RETRY

    def _repeated(self, request: Request) -> Outcome:
        """Say what may be done where the request may have been applied."""
        recognised = self._settings.idempotency_key and self.policy.on_unknown == "retry"
        return Outcome.RETRY if recognised or request.method in _REPEATABLE_METHODS else Outcome.UNKNOWN

    def _scope(self, request: Request, status: int) -> str:
        """Say what a block closes: an address that moved is the route's own where the route gave the path."""
        own_address = status == 410 or status // 100 == 3
        return "route" if own_address and request.url.raw_path != self._url.raw_path else "sink"

    def _hides(self, header: str) -> bool:
        return is_secret(header) or header in self._credentials

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _headers(encoding: Encoding, *layers: Mapping[str, str]) -> CIMultiDict[str]:
    content_type = _CONTENT_TYPES.get(encoding)
    headers = CIMultiDict({"Content-Type": content_type} if content_type else {})
    for layer in layers:
        headers.update(layer)
    return headers


def _body(params: Mapping[str, object]) -> tuple[Encoding, bytes]:
    """Encode the body once and for all: JSON, a form, or a text as it is (XML, say)."""
    if "form" in params:
        return "form", encode_pairs("form", _mapping("form", params)).encode()
    body = params.get("body")
    if body is None:
        return "none", b""
    if isinstance(body, str):
        return "text", body.encode()
    return "json", msgspec.json.encode(body)


def _mapping(key: str, params: Mapping[str, object]) -> Mapping[str, object]:
    value = params.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RejectDelivery(f"{key}: takes a mapping of names to values, not {value!r:.60}")
    return value


def _method(value: object) -> str:
    method = str(value or "").upper()
    if method and method not in get_args(Method):
        raise RejectDelivery(f"method: {value!r} is not one of {', '.join(get_args(Method))}")
    return method


def _header(name: str, value: object) -> tuple[str, str]:
    try:
        return header_name(name), header_value(str(value))
    except ValueError as error:
        raise RejectDelivery(f"headers.{name}: {error}") from None


def _reason(answer: Response) -> str:
    """Say in a line what they answered and, where we know, what to do about it."""
    said = f"{answer.status} {responses.get(answer.status, '')}".strip()
    if 300 <= answer.status < 400:
        target = answer.headers.get("Location", "nowhere").partition("?")[0]
        return f"{said}: redirects are not followed, this one points to {target}: set the sink's url to the new address"
    return f"{said}: {_ADVICE[answer.status]}" if answer.status in _ADVICE else said
