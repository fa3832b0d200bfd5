"""Opening connections: to a host itself, or to a proxy that passes requests on or makes a tunnel."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from aiohappyeyeballs import start_connection

from relay.config.proxy import Proxy
from relay.transport.connection import Connection
from relay.transport.messages import ConnectFailed, FailureKind, Request
from relay.transport.resolver import Resolver, SystemResolver, endpoints
from relay.transport.tunnel import Tunnel

CONNECT_TIMEOUT_S = 5.0  # to a host; a proxy has as long for its own way to it
_NEXT_ADDRESS_S = 0.25  # after this an attempt at the next address begins beside the first (RFC 8305)

_Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)


class Connector:
    """Opens connections. A `resolver` of one's own is asked for every host that is called, also behind a proxy.

    Then the proxy is asked for the address that it returned, and never for the name, which the proxy might resolve to
    another one. Without a resolver a proxy resolves the names of the hosts that it is asked for.
    """

    def __init__(self, resolver: Resolver | None) -> None:
        self._system = SystemResolver()
        self._own = resolver
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Close the resolvers."""
        await self._system.close()
        if self._own is not None:
            await self._own.close()

    def forwards(self, request: Request, proxy: Proxy | None) -> bool:
        """Return whether the proxy passes the request on by itself: plain http, and it may resolve the name."""
        return proxy is not None and request.url.scheme == "http" and self._own is None

    async def connect(self, request: Request, proxy: Proxy | None, deadline: float) -> Connection:
        """Open a connection for a request until `deadline` (the loop's clock). Raises ConnectFailed."""
        limit = CONNECT_TIMEOUT_S if proxy is None else 2 * CONNECT_TIMEOUT_S
        try:
            async with asyncio.timeout(min(limit, deadline - self._loop.time())):
                if proxy is None:
                    return await self._connect_directly(request)
                if self.forwards(request, proxy):
                    return await self._reach(Connection, proxy)
                return await self._connect_through(request, proxy)
        except TimeoutError:
            through = "" if proxy is None else f" through the proxy {proxy}"
            raise ConnectFailed("timeout_before_write", f"no connection in time{through}") from None

    async def _connect_directly(self, request: Request) -> Connection:
        url = request.url
        host, port, called = url.raw_host or "", url.port or 0, url.host_port_subcomponent or ""
        sock = await self._open_socket(host, port, self._own or self._system, called)
        with _failures(called):
            _, connection = await self._loop.create_connection(
                Connection, sock=sock, ssl=_tls_of(request), server_hostname=_name_of(request)
            )
        return connection

    async def _connect_through(self, request: Request, proxy: Proxy) -> Connection:
        """Return a connection through a tunnel, the first that the proxy makes to one of the host's addresses."""
        refused: ConnectFailed | None = None
        for target in await self._targets(request):
            tunnel = await self._reach(Tunnel, proxy)
            try:
                await tunnel.open(proxy, target)
                return await self._enter(tunnel, request)
            except ConnectFailed as failed:
                tunnel.transport.abort()
                if failed.kind != "connect":
                    raise
                refused = failed
            except BaseException:
                tunnel.transport.abort()
                raise
        assert refused is not None  # there is one target at least
        raise refused

    async def _targets(self, request: Request) -> Sequence[str]:
        """Return what a proxy is asked for: the name, or its addresses where a resolver of one's own has them."""
        host, port = request.url.raw_host or "", request.url.port or 0
        if self._own is None:
            return [_host_port(host, port)]
        with _failures(host, "dns"):
            return [_host_port(*address) for *_, address in await endpoints(host, port, self._own)]

    async def _enter(self, tunnel: Tunnel, request: Request) -> Connection:
        """Return the connection at the other end of a tunnel. TLS is with the host, whose name is verified."""
        transport: asyncio.Transport | None = tunnel.transport
        context, connection = _tls_of(request), Connection()
        with _failures(request.url.host_port_subcomponent or ""):
            if context is None:
                tunnel.transport.set_protocol(connection)
            else:
                transport = await self._loop.start_tls(
                    tunnel.transport, connection, context, server_hostname=_name_of(request)
                )
            if transport is None:
                raise ConnectionResetError("they closed the connection")
        connection.connection_made(transport)
        return connection

    async def _reach(self, protocol: Callable[[], _Protocol], proxy: Proxy) -> _Protocol:
        """Open a connection to a proxy. Its name is the operator's own, so the system resolves it."""
        called = f"the proxy {proxy}"
        sock = await self._open_socket(proxy.host, proxy.port, self._system, called)
        context, name = (_default_tls(), proxy.host) if proxy.scheme == "https" else (None, None)
        with _failures(called):
            _, made = await self._loop.create_connection(protocol, sock=sock, ssl=context, server_hostname=name)
        return made

    async def _open_socket(self, host: str, port: int, resolver: Resolver, called: str) -> socket.socket:
        with _failures(called, "dns"):
            addresses = await endpoints(host, port, resolver)
        with _failures(called):
            return await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S, interleave=1)


@contextmanager
def _failures(called: str, kind: FailureKind = "connect") -> Iterator[None]:
    """Raise ConnectFailed where something within fails, but for a timeout."""
    try:
        yield
    except TimeoutError:
        raise
    except (OSError, UnicodeError) as error:
        failed: FailureKind = "tls" if isinstance(error, ssl.SSLError) else kind
        raise ConnectFailed(failed, f"cannot connect to {called}: {error}") from None


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tls_of(request: Request) -> ssl.SSLContext | None:
    return None if request.url.scheme == "http" else request.tls or _default_tls()


def _name_of(request: Request) -> str | None:
    """Return the name that the certificate must have."""
    return None if request.url.scheme == "http" else (request.url.raw_host or "").rstrip(".")


@lru_cache(maxsize=1)
def _default_tls() -> ssl.SSLContext:
    """Return the TLS context of requests without a client certificate. Reading the system's certificates is slow."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
