"""Requests and their answers as values, and the bytes of a request on the wire. Pure."""

import ssl
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

from multidict import CIMultiDict
from yarl import URL

import relay
from relay.config.proxy import Proxy
from relay.model import Record

FailureKind: TypeAlias = Literal[
    "queue", "dns", "connect", "tls", "proxy", "timeout_before_write", "timeout", "reset", "protocol"
]  # fmt: skip

USER_AGENT: Final = f"amo-relay/{relay.__version__}"
_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})  # they state a Content-Length even where it is 0


class Request(Record):
    """What to send, and how long the whole call may take. Its repr names the target only: the rest may be secret."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes
    timeout_ms: int
    tls: ssl.SSLContext | None = None  # one that presents a client certificate

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url.origin()}{self.url.raw_path} {len(self.body)} bytes>"


class Response(Record):
    """What they answered. `truncated`: the body is only its beginning, because it is too large or broke off."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False


class TransportFailure(Record):
    """Why there is no answer. `sent`: part of the request may have reached them."""

    kind: FailureKind
    reason: str
    sent: bool

    @property
    def lasting(self) -> bool:
        """Return whether it does not pass by itself: a wrong certificate, or a proxy that refuses us."""
        return self.kind in ("tls", "proxy")

    @property
    def ours(self) -> bool:
        """Return whether the other side has no part in it: the call only waited for its turn."""
        return self.kind == "queue"


class ConnectFailed(Exception):
    """There is no connection, so nothing of the request has left. Its text is the reason."""

    def __init__(self, kind: FailureKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


Answer: TypeAlias = Response | TransportFailure
"""What a call returns."""


def to_wire(request: Request, forwarder: Proxy | None = None) -> bytes:
    """Return the bytes of a request. Raises ValueError for a header with a line break, or that is no valid Unicode.

    `forwarder`: the proxy that passes it on, which needs the whole address and its own credentials (RFC 9112, 3.2.2).
    No cookies and no Accept-Encoding: answers are small, and a sink that must ask for gzip does so in its headers.
    """
    url, target = request.url, request.url.raw_path_qs
    headers = request.headers if isinstance(request.headers, CIMultiDict) else CIMultiDict(request.headers)
    own = {}
    if "Host" not in headers:
        own["Host"] = url.host_port_subcomponent or ""
    if "User-Agent" not in headers:
        own["User-Agent"] = USER_AGENT
    if "Accept" not in headers:
        own["Accept"] = "*/*"
    if request.body or request.method in _METHODS_WITH_BODY:
        own["Content-Length"] = str(len(request.body))
    if forwarder is not None:
        target = f"{url.origin()}{target}"
        if forwarder.authorization:
            own["Proxy-Authorization"] = forwarder.authorization
    lines = [f"{name}: {value}\r\n" for name, value in (*own.items(), *_without(own, headers).items())]
    head = f"{request.method} {target} HTTP/1.1\r\n{''.join(lines)}\r\n"
    line_ends = len(lines) + 2
    if head.count("\n") != line_ends or head.count("\r") != line_ends or "\0" in head:
        raise ValueError("a header with a line break in it cannot be sent")
    return head.encode() + request.body


def _without(names: Iterable[str], headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """Return headers without those of some names. Most have none of them, and are not copied."""
    for name in names:
        if name in headers:
            headers = CIMultiDict(headers)
            del headers[name]
    return headers
