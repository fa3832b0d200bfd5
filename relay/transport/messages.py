"""What goes out and what comes back, as values; and a request as the bytes it is on the wire. Pure."""

import ssl
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from multidict import CIMultiDict
from yarl import URL

import relay
from relay.model import Record

FailureKind: TypeAlias = Literal["dns", "connect", "tls", "timeout_before_write", "timeout", "reset", "protocol"]

_USER_AGENT: Final = f"amo-relay/{relay.__version__}"
_WITH_A_BODY: Final = frozenset({"POST", "PUT", "PATCH"})  # their length is said even where there is nothing in it


class Request(Record):
    """What to send, and how long all of it may take. Its repr names the target only: the rest has secrets in it."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes
    timeout_ms: int
    tls: ssl.SSLContext | None = None  # one that shows our certificate

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url.origin()}{self.url.raw_path} {len(self.body)} bytes>"


class Response(Record):
    """What they answered. `truncated`: the body is only the beginning, by our cap or because they stopped."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False


class TransportFailure(Record):
    """Why there is no answer. `sent`: some of the request may have reached them."""

    kind: FailureKind
    reason: str
    sent: bool


Answer: TypeAlias = Response | TransportFailure
"""What a call returns."""


def to_wire(request: Request) -> bytes:
    """Write a request. Raises ValueError for a header that would end its line, or that is no Unicode.

    No cookies and no Accept-Encoding: answers are small, and a sink that must ask for gzip does so in its headers.
    """
    url, headers = request.url, CIMultiDict(request.headers)
    headers.setdefault("Host", url.host_port_subcomponent or "")
    headers.setdefault("User-Agent", _USER_AGENT)
    headers.setdefault("Accept", "*/*")
    if request.body or request.method in _WITH_A_BODY:
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = f"{request.method} {url.raw_path_qs} HTTP/1.1\r\n{''.join(lines)}\r\n"
    ends = len(lines) + 2
    if head.count("\n") != ends or head.count("\r") != ends or "\0" in head:
        raise ValueError("a header with a line break in it cannot be sent")
    return head.encode() + request.body
