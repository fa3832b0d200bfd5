"""Calls: a request over a connection that is kept open, or a new one, directly or through a proxy."""

import asyncio
import copy
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar
from weakref import WeakSet

from httptools import HttpParserError

from relay.config.proxy import Proxy, ProxyChoice
from relay.config.proxy_environment import NO_PROXIES, ProxyRules
from relay.transport.connection import Connection, ConnectionEnded
from relay.transport.connector import CheckAddresses, Connector, Lookups
from relay.transport.lookup_bounds import Asker, NoTurn
from relay.transport.messages import (
    Answer,
    ConnectFailed,
    FailureKind,
    Request,
    Response,
    TransportFailure,
    to_wire,
)
from relay.transport.opened import OpenedConnection
from relay.transport.pool import ConnectionPool, Way
from relay.transport.resolver import CachingResolver, Resolver
from relay.transport.tls import describe, refuses_certificate
from relay.transport.tunnel import describe_refusal

RECONNECT_PAUSE_S = 0.1  # time for a server that is just being restarted
_PROXY_AUTHENTICATION_REQUIRED = 407
_Opened = TypeVar("_Opened", bound=OpenedConnection)
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110, 9.2.2


class Session:
    """The connections that all calls of a process share. Open and close it inside the running loop.

    The number of connections has no limit: a sink's `concurrency` is the limit, and waiting for a connection would use
    up a lease. The `resolver`, by default one of its own, is asked for every new connection; it is closed with the
    session. The addresses of a name pass `check`, and a proxy is asked for those only. `proxies`: the environment's.
    """

    def __init__(
        self,
        resolver: Resolver | None = None,
        check: CheckAddresses | None = None,
        proxies: ProxyRules = NO_PROXIES,
    ) -> None:
        self._connector = Connector(resolver or CachingResolver(), check)
        self._pool = ConnectionPool()
        self._opened: WeakSet[OpenedConnection] = WeakSet()
        self._proxies = proxies
        self._choice: ProxyChoice | None = None
        self._asker = Asker()
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def through(self, choice: ProxyChoice | None) -> "Session":
        """Return this session for calls through a proxy, or with False through none; None: as the environment says.

        Both have the same connections, and are closed together.
        """
        if choice is None:
            return self
        session = copy.copy(self)
        session._choice = choice
        return session

    def on_behalf_of(self, asker: Asker) -> "Session":
        """Return this session for calls whose names count for a source and a sink. Both are closed together."""
        session = copy.copy(self)
        session._asker = asker
        return session

    async def close(self) -> None:
        """Close every connection."""
        lost = [opened.lost for opened in self._opened]
        for opened in list(self._opened):
            opened.abort()
        await asyncio.gather(*lost)
        await self._pool.close()
        await self._connector.close()

    async def exchange(self, request: Request) -> Answer:
        """Send a request and read the answer. Follow no redirect. Never raise for what the network does."""
        url, proxy = request.url, self._proxy(request)
        forwarder = proxy if self._connector.forwards(request, proxy) else None
        try:
            message = to_wire(request, forwarder)
        except ValueError as error:
            return TransportFailure(kind="protocol", reason=str(error), sent=False)
        way = (url.scheme, url.raw_host, url.port, request.tls, proxy)
        seconds = request.timeout_ms / 1000
        deadline = self._loop.time() + seconds
        while connection := self._pool.take(way, fresh=request.method not in _REPEATABLE):
            try:
                return self._keep(way, connection, await connection.exchange(message, deadline), forwarder)
            except ConnectionEnded:
                continue  # nothing of it was written
            except (OSError, HttpParserError) as error:
                return _failure(error, connection)
        try:
            lookups = await self._connector.look_up(request, proxy, self._asker)
            deadline = self._loop.time() + seconds  # the wait for a turn is ours, not theirs
            connection = await self._connect(request, proxy, lookups, deadline)
        except NoTurn as waiting:
            return TransportFailure(kind="queue", reason=f"not tried yet: {waiting}", sent=False)
        except ConnectFailed as failed:
            return TransportFailure(kind=failed.kind, reason=str(failed), sent=False)
        try:
            return self._keep(way, connection, await connection.exchange(message, deadline), forwarder)
        except (OSError, HttpParserError) as error:
            return _failure(error, connection)

    async def open(
        self, protocol: Callable[[], _Opened], host: str, port: int, timeout_ms: int, *, secure: bool
    ) -> _Opened | TransportFailure:
        """Open a connection for another protocol than HTTP. `secure`: it begins with TLS.

        Whoever opens it closes it; what is open still when the session is closed is aborted.

        No proxy is asked: those there are speak HTTP. Never raise for what the network does.
        """
        deadline = self._loop.time() + timeout_ms / 1000
        try:
            opened = await self._connector.open(protocol, host, port, self._asker, deadline, secure=secure)
        except NoTurn as waiting:
            return TransportFailure(kind="queue", reason=f"not tried yet: {waiting}", sent=False)
        except ConnectFailed as failed:
            return TransportFailure(kind=failed.kind, reason=str(failed), sent=False)
        self._opened.add(opened)
        return opened

    def _keep(self, way: Way, connection: Connection, answer: Response, forwarder: Proxy | None) -> Answer:
        """Keep a connection for the next exchange where it may follow; return the answer that came over it."""
        if connection.usable:
            self._pool.keep(way, connection, answer)
        return answer if forwarder is None else _forwarded(answer, forwarder)

    def _proxy(self, request: Request) -> Proxy | None:
        if self._choice is not None:
            return self._choice or None
        url = request.url
        return self._proxies.choose(url.scheme, url.raw_host or "", url.port or 0)

    async def _connect(self, request: Request, proxy: Proxy | None, lookups: Lookups, deadline: float) -> Connection:
        connection = await self._connector.connect(request, proxy, lookups, deadline)
        self._pool.add(connection)
        if not connection.usable:
            raise ConnectFailed("reset", "they closed the connection at once")
        return connection


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


def _forwarded(answer: Response, proxy: Proxy) -> Answer:
    """Return an answer that came through a proxy. A 407 is the proxy's own: it has passed nothing on."""
    if answer.status != _PROXY_AUTHENTICATION_REQUIRED:
        return answer
    reason = f"the proxy {proxy} passes nothing on: {describe_refusal(answer.status)}"
    return TransportFailure(kind="proxy", reason=reason, sent=False)


def _failure(error: Exception, connection: Connection) -> TransportFailure:
    """Return the failure of an exchange that ended with an error."""
    sent = connection.wrote
    if connection.untouched and refuses_certificate(error):
        return TransportFailure(kind="tls", reason=f"nothing was read: {describe(error)}", sent=False)
    if isinstance(error, TimeoutError):
        return TransportFailure(kind="timeout", reason="no answer in time", sent=sent)
    kind: FailureKind = "reset" if isinstance(error, OSError) else "protocol"
    if isinstance(error, OSError) and (reason := describe(error)):
        return TransportFailure(kind=kind, reason=reason, sent=sent)
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return TransportFailure(kind=kind, reason=reason, sent=sent)
