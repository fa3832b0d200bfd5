"""One HTTP exchange and everything that can happen to it, as values. Knows nothing of any vendor.

What matters about a failure is one question: may the other side have acted on it? `TransportFailure.sent` answers it,
and says yes wherever that cannot be known.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Literal, TypeAlias

import aiohttp
from aiohttp.abc import AbstractResolver, AbstractStreamWriter
from yarl import URL

import relay
from relay.model import Record

RESPONSE_CAP = 1024 * 1024
CONNECT_TIMEOUT_S = 5.0
RECONNECT_PAUSE_S = 0.1  # a restarting server is back by then, or not for long

FailureKind: TypeAlias = Literal["dns", "connect", "tls", "timeout_before_write", "timeout", "reset", "protocol"]


class Request(Record, frozen=True):
    """What to send. Its repr names the target only: query, headers and body carry secrets and personal data."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes
    timeout: aiohttp.ClientTimeout
    tls: ssl.SSLContext | None = None  # one that shows our certificate

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url.origin()}{self.url.raw_path} {len(self.body)} bytes>"


class Response(Record, frozen=True):
    """What they answered. `truncated`: the body is only the beginning, by our cap or because they stopped."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False


class TransportFailure(Record, frozen=True):
    """Why there is no answer. `sent`: some of the request may have reached them."""

    kind: FailureKind
    reason: str
    sent: bool


def open_session(resolver: AbstractResolver | None = None) -> aiohttp.ClientSession:
    """Open the session that all sinks of a process share. To be called inside the running loop, and closed there.

    A `resolver` is asked for every connection anew: its answers are not kept.

    No cookies: they would travel from one sink to another. No limit of connections: `concurrency` is the limit, and
    waiting for a connection would eat a lease. No Accept-Encoding: answers are small, and a sink that must ask for
    gzip does so in its headers.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=30, use_dns_cache=resolver is None, resolver=resolver),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"amo-relay/{relay.__version__}"},
        skip_auto_headers=("Accept-Encoding", "Content-Type"),
    )


def timeouts(total_ms: int) -> aiohttp.ClientTimeout:
    """Build a sink's timeouts: `total_ms` for everything, connecting within it in at most five seconds."""
    total = total_ms / 1000
    return aiohttp.ClientTimeout(total=total, connect=min(CONNECT_TIMEOUT_S, total))


async def call(session: aiohttp.ClientSession, request: Request) -> Response | TransportFailure:
    """Send and read the answer, following no redirect. Never raise for what a network does.

    A connection that failed at once before anything was sent is tried a second time: a keep-alive that ended, one
    broken address of several. Timeouts are not: their time is spent.
    """
    answer = await _exchange(session, request)
    if isinstance(answer, TransportFailure) and not answer.sent and answer.kind in ("connect", "reset"):
        await asyncio.sleep(RECONNECT_PAUSE_S)
        return await _exchange(session, request)
    return answer


class _Body(aiohttp.BytesPayload):
    """A body that knows whether it left. aiohttp sends the headers together with its first bytes."""

    left = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        transport = writer.transport
        self.left |= transport is not None and not transport.is_closing()
        await super().write_with_length(writer, content_length)


async def _exchange(session: aiohttp.ClientSession, request: Request) -> Response | TransportFailure:
    body = _Body(request.body) if request.body else None
    try:
        async with session.request(
            request.method,
            request.url,
            headers=request.headers,
            data=body,
            allow_redirects=False,
            timeout=request.timeout,
            ssl=request.tls or True,
        ) as answer:
            return await _read(answer)
    except (aiohttp.ClientError, OSError) as error:
        return _failure(error, None if body is None else body.left)


async def _read(answer: aiohttp.ClientResponse) -> Response:
    """Read the body up to the cap. The status has been said: a body that breaks off does not take it back."""
    content, whole = answer.content, b""
    truncated = False
    try:
        while not content.at_eof() and not truncated:
            whole += await content.readany()
            truncated = len(whole) > RESPONSE_CAP
    except (aiohttp.ClientError, OSError):
        truncated = True
    if truncated:
        answer.close()  # else its unread rest would be taken for the next answer
    return Response(status=answer.status, headers=answer.headers, body=whole[:RESPONSE_CAP], truncated=truncated)


_BEFORE_SENDING: tuple[tuple[type[Exception], FailureKind], ...] = (
    (aiohttp.ClientConnectorDNSError, "dns"),
    (aiohttp.ClientConnectorCertificateError, "tls"),
    (aiohttp.ClientConnectorSSLError, "tls"),
    (aiohttp.ServerFingerprintMismatch, "tls"),
    (aiohttp.ConnectionTimeoutError, "timeout_before_write"),
    (aiohttp.ClientConnectorError, "connect"),  # the class of some of those above, so the last
)


def _failure(error: Exception, left: bool | None) -> TransportFailure:
    """Name a failure. `left`: whether the body left; None: there was none, and so nobody to tell."""
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    for kind_of_error, kind in _BEFORE_SENDING:
        if isinstance(error, kind_of_error):
            return TransportFailure(kind=kind, reason=reason, sent=bool(left))
    sent = left is not False
    if isinstance(error, TimeoutError):
        if sent:
            return TransportFailure(kind="timeout", reason="no answer in time", sent=True)
        return TransportFailure(kind="timeout_before_write", reason="no connection in time", sent=False)
    if isinstance(error, (aiohttp.ClientConnectionError, OSError)):
        return TransportFailure(kind="reset", reason=reason, sent=sent)
    return TransportFailure(kind="protocol", reason=reason, sent=sent)
