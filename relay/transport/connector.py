"""Opening connections: to a host itself, or to a proxy that passes requests on or makes a tunnel."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple, TypeAlias, TypeVar

from relay.config.proxy import Proxy
from relay.transport.addresses import connect_socket, literal_address
from relay.transport.connection import Connection
from relay.transport.lookup_bounds import Asker
from relay.transport.messages import ConnectFailed, FailureKind, Request
from relay.transport.resolver import Lookup, Resolver
from relay.transport.tls import describe, plain_tls, prepared
from relay.transport.tunnel import Tunnel

CONNECT_TIMEOUT_S = 5.0  # to a host; a proxy has as long for its own way to it

CheckAddresses: TypeAlias = Callable[[str, Sequence[str]], Sequence[str]]
"""Returns those addresses of a host that may be called. Raises OSError where none may be."""

_Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)


class Lookups(NamedTuple):
    """The look-ups that a connection needs. None: it is written as an address, or a proxy resolves it."""

    host: Lookup | None
    proxy: Lookup | None


class Connector:
    """Opens connections. The addresses of every host that is called pass a `check`, also behind a proxy.

    Then the proxy is asked for the address that passed, and never for the name, which the proxy might resolve to
    another one. Without a check a proxy resolves the names of the hosts that it is asked for.
    """

    def __init__(self, resolver: Resolver, check: CheckAddresses | None) -> None:
        self._resolver = resolver
        self._check = check
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Close the resolver."""
        await self._resolver.close()

    def forwards(self, request: Request, proxy: Proxy | None) -> bool:
        """Return whether the proxy passes the request on by itself: plain http, and it may resolve the name."""
        return proxy is not None and request.url.scheme == "http" and self._check is None

    async def look_up(self, request: Request, proxy: Proxy | None, asker: Asker) -> Lookups:
        """Begin to look up the names that a connection needs, when it is the asker's turn. Raises NoTurn."""
        wanted = proxy is None or self._check is not None
        return Lookups(
            host=await self._begin(request.url.raw_host or "", asker) if wanted else None,
            proxy=await self._begin(proxy.host, Asker()) if proxy else None,  # the operator's own
        )

    async def _begin(self, host: str, asker: Asker) -> Lookup | None:
        return None if literal_address(host) else await self._resolver.look_up(host, asker)

    async def connect(self, request: Request, proxy: Proxy | None, lookups: Lookups, deadline: float) -> Connection:
        """Open a connection for a request until `deadline` (the loop's clock). Raises ConnectFailed."""
        with _failures(request.url.host_port_subcomponent or ""):
            _name_of(request)  # before there is a socket to close
        limit = CONNECT_TIMEOUT_S if proxy is None else 2 * CONNECT_TIMEOUT_S
        try:
            async with asyncio.timeout(min(limit, deadline - self._loop.time())):
                if proxy is None:
                    return await self._connect_directly(request, lookups.host)
                if self.forwards(request, proxy):
                    return await self._reach(Connection, proxy, lookups.proxy)
                return await self._connect_through(request, proxy, lookups)
        except TimeoutError:
            through = "" if proxy is None else f" through the proxy {proxy}"
            raise ConnectFailed("timeout_before_write", f"no connection in time{through}") from None

    async def open(
        self, protocol: Callable[[], _Protocol], host: str, port: int, asker: Asker, deadline: float, *, secure: bool
    ) -> _Protocol:
        """Open a connection for another protocol than HTTP. Raises ConnectFailed, and NoTurn before the time runs.

        `secure`: it begins with TLS.
        """
        called, lookup = _host_port(host, port), await self._begin(host, asker)
        try:
            async with asyncio.timeout(min(CONNECT_TIMEOUT_S, deadline - self._loop.time())):
                with _failures(called, "dns"):
                    addresses = await _resolved(host, lookup)
                sock = await _open_socket(addresses, port, called)
                context, name = (plain_tls(), host) if secure else (None, None)
                with _failures(called):
                    _, made = await self._loop.create_connection(protocol, sock=sock, ssl=context, server_hostname=name)
        except TimeoutError:
            raise ConnectFailed("timeout_before_write", "no connection in time") from None
        return made

    async def _connect_directly(self, request: Request, lookup: Lookup | None) -> Connection:
        called = request.url.host_port_subcomponent or ""
        addresses = await self._addresses(request, lookup)
        sock = await _open_socket(addresses, request.url.port or 0, called)
        with _failures(called):
            _, connection = await self._loop.create_connection(
                Connection, sock=sock, ssl=_tls_of(request), server_hostname=_name_of(request)
            )
        return connection

    async def _connect_through(self, request: Request, proxy: Proxy, lookups: Lookups) -> Connection:
        """Return a connection through a tunnel, the first that the proxy makes to one of the host's addresses."""
        refused: ConnectFailed | None = None
        for target in await self._targets(request, lookups.host):
            tunnel = await self._reach(Tunnel, proxy, lookups.proxy)
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

    async def _targets(self, request: Request, lookup: Lookup | None) -> Sequence[str]:
        """Return what a proxy is asked for: the name, or those of its addresses that passed the check."""
        port = request.url.port or 0
        if self._check is None:
            return [_host_port(request.url.raw_host or "", port)]
        return [_host_port(address, port) for address in await self._addresses(request, lookup)]

    async def _addresses(self, request: Request, lookup: Lookup | None) -> Sequence[str]:
        """Return the addresses of the host that is called. One that is written as an address is not checked."""
        host = request.url.raw_host or ""
        with _failures(request.url.host_port_subcomponent or "", "dns"):
            addresses = await _resolved(host, lookup)
            return addresses if self._check is None or lookup is None else self._check(host, addresses)

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

    async def _reach(self, protocol: Callable[[], _Protocol], proxy: Proxy, lookup: Lookup | None) -> _Protocol:
        """Open a connection to a proxy. Its address is the operator's own, so nothing checks it."""
        called = f"the proxy {proxy}"
        with _failures(called, "dns"):
            addresses = await _resolved(proxy.host, lookup)
        sock = await _open_socket(addresses, proxy.port, called)
        context, name = (_default_tls(), proxy.host) if proxy.scheme == "https" else (None, None)
        with _failures(called):
            _, made = await self._loop.create_connection(protocol, sock=sock, ssl=context, server_hostname=name)
        return made


async def _resolved(host: str, lookup: Lookup | None) -> Sequence[str]:
    """Return the addresses of a host, which are one at least. Raises OSError."""
    addresses = [host] if lookup is None else await lookup()
    if not addresses:
        raise OSError("the name has no address")
    return addresses


async def _open_socket(addresses: Sequence[str], port: int, called: str) -> socket.socket:
    with _failures(called):
        return await connect_socket(addresses, port)


@contextmanager
def _failures(called: str, kind: FailureKind = "connect") -> Iterator[None]:
    """Raise ConnectFailed where something within fails, but for a timeout."""
    try:
        yield
    except TimeoutError:
        raise
    except (OSError, UnicodeError) as error:
        by_tls = isinstance(error, ssl.SSLError) or (isinstance(error, UnicodeError) and kind != "dns")
        reason = describe(error) if by_tls or isinstance(error, OSError) else str(error)
        raise ConnectFailed("tls" if by_tls else kind, f"cannot connect to {called}: {reason}") from None


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tls_of(request: Request) -> ssl.SSLContext | None:
    return None if request.url.scheme == "http" else request.tls or _default_tls()


def _name_of(request: Request) -> str | None:
    """Return the name that the certificate must have. Raises UnicodeError for one that TLS cannot ask for."""
    if request.url.scheme == "http":
        return None
    name = (request.url.raw_host or "").rstrip(".")
    name.encode("idna")
    return name


@lru_cache(maxsize=1)
def _default_tls() -> ssl.SSLContext:
    """Return the TLS context of requests without a client certificate. Reading the system's certificates is slow."""
    return prepared(ssl.create_default_context())
