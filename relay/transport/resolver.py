"""Resolving host names to the addresses to connect to."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Protocol, TypeAlias

AddrInfo: TypeAlias = tuple[int, int, int, str, tuple[str, int]]
"""An address in the form of socket.getaddrinfo."""

CACHED_S = 30.0


class Resolver(Protocol):
    """Resolves names to addresses."""

    async def resolve(self, host: str, /) -> Sequence[str]:
        """Return the IP addresses of a name, the best first. Raises OSError."""

    async def close(self) -> None:
        """Release threads and running look-ups."""


class SystemResolver:
    """Asks the system and caches its answers for half a minute. Concurrent look-ups of a name share one answer."""

    def __init__(self) -> None:
        self._lookups: dict[str, tuple[float, asyncio.Task[Sequence[str]]]] = {}

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the IP addresses of a name. Raises OSError."""
        now = asyncio.get_running_loop().time()
        until, lookup = self._lookups.get(host, (0.0, None))
        if lookup is None or until <= now or (lookup.done() and (lookup.cancelled() or lookup.exception())):
            lookup = asyncio.create_task(_look_up(host))
            self._lookups[host] = now + CACHED_S, lookup
        return await asyncio.shield(lookup)  # a caller that is cancelled does not cancel it for the others

    async def close(self) -> None:
        """Cancel the look-ups that are running."""
        lookups = [task for _, task in self._lookups.values()]
        for task in lookups:
            task.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)


async def _look_up(host: str) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(address[0]) for *_, address in found]


async def endpoints(host: str, port: int, resolver: Resolver) -> list[AddrInfo]:
    """Return the addresses to connect to; a literal address is not looked up. Raises OSError."""
    try:
        addresses = [str(ip_address(host))]
    except ValueError:
        addresses = list(await resolver.resolve(host))
    if not addresses:
        raise OSError(f"{host} has no address")
    return [_addr_info(address, port) for address in addresses]


def _addr_info(address: str, port: int) -> AddrInfo:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)
