"""Connections to the others, kept open between calls, and the calls themselves."""

import asyncio
import ssl
from collections import defaultdict
from functools import lru_cache
from types import TracebackType
from typing import Self, TypeAlias

from aiohappyeyeballs import start_connection
from httptools import HttpParserError
from yarl import URL

from relay.transport.connection import Connection
from relay.transport.messages import Answer, FailureKind, Request, TransportFailure, to_wire
from relay.transport.resolver import Resolver, SystemResolver, endpoints

CONNECT_TIMEOUT_S = 5.0
RECONNECT_PAUSE_S = 0.1  # a restarting server is back by then, or not for long
KEPT_S = 15.0  # an idle connection; one that they close before is not used again
_OTHER_ADDRESS_S = 0.25  # for so long one address is tried alone (RFC 8305)

_Origin: TypeAlias = tuple[str, str | None, int | None, ssl.SSLContext | None]


class Session:
    """What a process's calls share. To be opened inside the running loop, and closed there.

    The number of connections has no limit: a sink's `concurrency` is the limit, and waiting for a connection would eat
    a lease. A `resolver` is asked for every connection.
    """

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver or SystemResolver()
        self._loop = asyncio.get_running_loop()
        self._open: set[Connection] = set()
        self._idle: defaultdict[_Origin, list[Connection]] = defaultdict(list)
        self._sweeping: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        lost = [connection.lost for connection in self._open]
        for connection in list(self._open):
            connection.abort()
        await asyncio.gather(*lost)
        await self._resolver.close()

    async def exchange(self, request: Request) -> Answer:
        """Send and read the answer, following no redirect. Never raise for what a network does."""
        deadline = self._loop.time() + request.timeout_ms / 1000
        try:
            message = to_wire(request)
        except ValueError as error:
            return TransportFailure(kind="protocol", reason=str(error), sent=False)
        origin = (request.url.scheme, request.url.raw_host, request.url.port, request.tls)
        connection = self._take(origin)
        if connection is None:
            opened = await self._connect(request, deadline)
            if isinstance(opened, TransportFailure):
                return opened
            connection = opened
        try:
            answer = await connection.exchange(message, deadline)
        except (OSError, HttpParserError) as error:
            return _unanswered(error, connection.wrote)
        if connection.usable:
            self._keep(origin, connection)
        return answer

    async def _connect(self, request: Request, deadline: float) -> Connection | TransportFailure:
        seconds = min(CONNECT_TIMEOUT_S, deadline - self._loop.time())
        stage: FailureKind = "dns"
        try:
            async with asyncio.timeout(seconds):
                url = request.url
                found = await endpoints(url.raw_host or "", url.port or 0, self._resolver)
                stage = "connect"
                sock = await start_connection(found, happy_eyeballs_delay=_OTHER_ADDRESS_S, interleave=1)
                context = None if url.scheme == "http" else request.tls or _default_tls()
                name = None if context is None else (url.raw_host or "").rstrip(".")
                _, connection = await self._loop.create_connection(
                    Connection, sock=sock, ssl=context, server_hostname=name
                )
        except TimeoutError:
            return TransportFailure(kind="timeout_before_write", reason="no connection in time", sent=False)
        except (OSError, UnicodeError) as error:
            kind: FailureKind = "tls" if isinstance(error, ssl.SSLError) else stage
            return TransportFailure(kind=kind, reason=_why(error, request.url), sent=False)
        self._open.add(connection)
        connection.lost.add_done_callback(lambda _: self._open.discard(connection))
        if not connection.usable:
            return TransportFailure(kind="reset", reason="they closed the connection at once", sent=False)
        return connection

    def _take(self, origin: _Origin) -> Connection | None:
        """Take the connection that was used last: it is the least likely to be closed on their side."""
        idle, now = self._idle[origin], self._loop.time()
        while idle:
            connection = idle.pop()
            if connection.usable and connection.idle_until > now:
                return connection
            connection.abort()
        return None

    def _keep(self, origin: _Origin, connection: Connection) -> None:
        connection.idle_until = self._loop.time() + KEPT_S
        self._idle[origin].append(connection)
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(KEPT_S, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle for too long."""
        now = self._loop.time()
        for origin, idle in list(self._idle.items()):
            kept = [connection for connection in idle if connection.usable and connection.idle_until > now]
            for connection in set(idle).difference(kept):
                connection.abort()
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
        self._sweeping = self._loop.call_later(KEPT_S, self._sweep) if self._idle else None


async def call(session: Session, request: Request) -> Answer:
    """Exchange, and where a connection failed at once before anything was sent, a second time.

    That is a keep-alive that ended, or one broken address of several. Timeouts are not: their time is spent.
    """
    answer = await session.exchange(request)
    if isinstance(answer, TransportFailure) and not answer.sent and answer.kind in ("connect", "reset"):
        await asyncio.sleep(RECONNECT_PAUSE_S)
        return await session.exchange(request)
    return answer


def _unanswered(error: Exception, sent: bool) -> TransportFailure:
    """Name what ended an exchange."""
    if isinstance(error, TimeoutError):
        return TransportFailure(kind="timeout", reason="no answer in time", sent=sent)
    kind: FailureKind = "reset" if isinstance(error, OSError) else "protocol"
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return TransportFailure(kind=kind, reason=reason, sent=sent)


def _why(error: Exception, url: URL) -> str:
    return f"cannot connect to {url.host_port_subcomponent}: {error}"


@lru_cache(maxsize=1)
def _default_tls() -> ssl.SSLContext:
    """Make the context of everybody without a certificate of their own: reading the system's takes a while."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
