"""Calls, and the connections that are kept open between them."""

import asyncio
import ssl
from collections import defaultdict
from functools import lru_cache
from types import TracebackType
from typing import Self, TypeAlias

from aiohappyeyeballs import start_connection
from httptools import HttpParserError

from relay.transport.connection import Connection
from relay.transport.messages import Answer, FailureKind, Request, TransportFailure, to_wire
from relay.transport.resolver import Resolver, SystemResolver, endpoints

CONNECT_TIMEOUT_S = 5.0
RECONNECT_PAUSE_S = 0.1  # time for a server that is just being restarted
IDLE_S = 15.0  # how long an unused connection is kept; one that they close earlier is not used again
_NEXT_ADDRESS_S = 0.25  # after this an attempt at the next address begins beside the first (RFC 8305)

_Origin: TypeAlias = tuple[str, str | None, int | None, ssl.SSLContext | None]


class Session:
    """The connections that all calls of a process share. Open and close it inside the running loop.

    The number of connections has no limit: a sink's `concurrency` is the limit, and waiting for a connection would use
    up a lease. The `resolver` is asked for every new connection.
    """

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver or SystemResolver()
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._idle: defaultdict[_Origin, list[Connection]] = defaultdict(list)
        self._sweep_timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        lost = [connection.lost for connection in self._connections]
        for connection in list(self._connections):
            connection.abort()
        await asyncio.gather(*lost)
        await self._resolver.close()

    async def exchange(self, request: Request) -> Answer:
        """Send a request and read the answer. Follow no redirect. Never raise for what the network does."""
        deadline = self._loop.time() + request.timeout_ms / 1000
        try:
            message = to_wire(request)
        except ValueError as error:
            return TransportFailure(kind="protocol", reason=str(error), sent=False)
        origin = (request.url.scheme, request.url.raw_host, request.url.port, request.tls)
        connection = self._take(origin)
        if connection is None:
            connected = await self._connect(request, deadline)
            if isinstance(connected, TransportFailure):
                return connected
            connection = connected
        try:
            answer = await connection.exchange(message, deadline)
        except (OSError, HttpParserError) as error:
            return _failure(error, connection.wrote)
        if connection.usable:
            self._keep(origin, connection)
        return answer

    async def _connect(self, request: Request, deadline: float) -> Connection | TransportFailure:
        seconds = min(CONNECT_TIMEOUT_S, deadline - self._loop.time())
        stage: FailureKind = "dns"
        try:
            async with asyncio.timeout(seconds):
                url = request.url
                addresses = await endpoints(url.raw_host or "", url.port or 0, self._resolver)
                stage = "connect"
                sock = await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S, interleave=1)
                context = None if url.scheme == "http" else request.tls or _default_tls()
                name = None if context is None else (url.raw_host or "").rstrip(".")
                _, connection = await self._loop.create_connection(
                    Connection, sock=sock, ssl=context, server_hostname=name
                )
        except TimeoutError:
            return TransportFailure(kind="timeout_before_write", reason="no connection in time", sent=False)
        except (OSError, UnicodeError) as error:
            kind: FailureKind = "tls" if isinstance(error, ssl.SSLError) else stage
            return TransportFailure(
                kind=kind, reason=f"cannot connect to {request.url.host_port_subcomponent}: {error}", sent=False
            )
        self._connections.add(connection)
        connection.lost.add_done_callback(lambda _: self._connections.discard(connection))
        if not connection.usable:
            return TransportFailure(kind="reset", reason="they closed the connection at once", sent=False)
        return connection

    def _take(self, origin: _Origin) -> Connection | None:
        """Return the idle connection that was used last: it is the least likely to be closed on their side."""
        idle, now = self._idle[origin], self._loop.time()
        while idle:
            connection = idle.pop()
            if connection.usable and connection.idle_until > now:
                return connection
            connection.abort()
        return None

    def _keep(self, origin: _Origin, connection: Connection) -> None:
        connection.idle_until = self._loop.time() + IDLE_S
        self._idle[origin].append(connection)
        if self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(IDLE_S, self._sweep)

    def _sweep(self) -> None:
        """Close the connections that have been idle for too long."""
        now = self._loop.time()
        for origin, idle in list(self._idle.items()):
            kept = [connection for connection in idle if connection.usable and connection.idle_until > now]
            for connection in set(idle).difference(kept):
                connection.abort()
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
        self._sweep_timer = self._loop.call_later(IDLE_S, self._sweep) if self._idle else None


async def call(session: Session, request: Request) -> Answer:
    """Exchange; where the connection failed before anything was sent, try a second time.

    It is a kept connection that had ended, or one broken address of several. Timeouts are not tried again: the time is
    used up.
    """
    answer = await session.exchange(request)
    if isinstance(answer, TransportFailure) and not answer.sent and answer.kind in ("connect", "reset"):
        await asyncio.sleep(RECONNECT_PAUSE_S)
        return await session.exchange(request)
    return answer


def _failure(error: Exception, sent: bool) -> TransportFailure:
    """Return the failure of an exchange that ended with an error."""
    if isinstance(error, TimeoutError):
        return TransportFailure(kind="timeout", reason="no answer in time", sent=sent)
    kind: FailureKind = "reset" if isinstance(error, OSError) else "protocol"
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return TransportFailure(kind=kind, reason=reason, sent=sent)


@lru_cache(maxsize=1)
def _default_tls() -> ssl.SSLContext:
    """Return the TLS context of requests without a client certificate. Reading the system's certificates is slow."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
