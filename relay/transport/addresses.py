"""Addresses to connect to, and connecting to the first of them that answers.

Nothing here may look up a name, because the names of others may never answer. uvloop's `sock_connect` hands even an IP
address to the threads that wait for names, and Python's sockets ask the system about one that names an interface.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from errno import EINPROGRESS
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias, cast

from aiohappyeyeballs import start_connection

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
AddrInfo: TypeAlias = tuple[int, int, int, str, Address]
"""An address in the form of socket.getaddrinfo."""

_NEXT_ADDRESS_S: Final = 0.25  # after this an attempt at the next address begins beside the first (RFC 8305)


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is written as; None where it is a name. Pure."""
    try:
        return ip_address(host)
    except ValueError:
        return None


async def connect_socket(addresses: Sequence[str], port: int) -> socket.socket:
    """Return a socket that is connected to one of some IP addresses. Raises OSError."""
    endpoints = [_endpoint(address, port) for address in addresses]
    loop = cast(asyncio.AbstractEventLoop, _Connecting())
    return await start_connection(endpoints, happy_eyeballs_delay=_NEXT_ADDRESS_S, interleave=1, loop=loop)


def _endpoint(text: str, port: int) -> AddrInfo:
    address = ip_address(text)
    if isinstance(address, IPv4Address):
        return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (text, port)
    plain, scope = text.partition("%")[0], address.scope_id or "0"
    interface = int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)
    return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (plain, port, 0, interface)


class _Connecting:
    """The part of a loop that `start_connection` uses, without a thread."""

    async def sock_connect(self, sock: socket.socket, address: Address) -> None:
        """Connect a socket to an IP address. Raises OSError."""
        loop = asyncio.get_running_loop()
        code = sock.connect_ex(address)
        if code == EINPROGRESS:
            connected: asyncio.Future[None] = loop.create_future()
            loop.add_writer(sock, _set, connected)
            try:
                await connected
            finally:
                loop.remove_writer(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))


def _set(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
