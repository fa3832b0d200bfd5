"""Where a host is: the addresses of its name."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Protocol, TypeAlias

Place: TypeAlias = tuple[int, int, int, str, tuple[str, int]]
"""An address as the system's getaddrinfo gives it."""

KEPT_S = 30.0


class Resolver(Protocol):
    """Gives the addresses of a name."""

    async def resolve(self, host: str, /) -> Sequence[str]:
        """Return the IP addresses of a name, the best first. Raises OSError."""

    async def close(self) -> None:
        """Return back what it holds."""


class SystemResolver:
    """Asks the system, and remembers its answers for half a minute. Who asks meanwhile waits for the same answer."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[float, asyncio.Task[Sequence[str]]]] = {}

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the IP addresses of a name. Raises OSError."""
        now = asyncio.get_running_loop().time()
        until, asking = self._asked.get(host, (0.0, None))
        if asking is None or until <= now or (asking.done() and (asking.cancelled() or asking.exception())):
            asking = asyncio.create_task(_ask(host))
            self._asked[host] = now + KEPT_S, asking
        return await asyncio.shield(asking)  # one that gives up does not take the answer from the others

    async def close(self) -> None:
        """Stop asking."""
        asking = [task for _, task in self._asked.values()]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def _ask(host: str) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(address[0]) for *_, address in found]


async def endpoints(host: str, port: int, resolver: Resolver) -> list[Place]:
    """Return the places to connect to. A written address is its own. Raises OSError."""
    try:
        addresses = [str(ip_address(host))]
    except ValueError:
        addresses = list(await resolver.resolve(host))
    if not addresses:
        raise OSError(f"{host} has no address")
    return [_place(address, port) for address in addresses]


def _place(address: str, port: int) -> Place:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)
