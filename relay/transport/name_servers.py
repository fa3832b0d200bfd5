"""Asking the name servers, as the system's configuration says: /etc/hosts, search domains, servers and their order.

c-ares does it, on a thread of its own that waits for all names at once. The system's getaddrinfo takes a thread of a
small pool for each name, so a few names that never answer would stop everybody.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from relay.model import Record

if TYPE_CHECKING:  # it is imported with the first question: few commands ask
    from aiodns import DNSResolver

_TRY_S: Final = 1.0  # for a server's first answer; later c-ares knows how fast it is, and is quicker to ask again
_TRIES: Final = 4  # each takes twice as long as the one before
_NO_ADDRESS: Final = "the name has no address"
_NO_NAME: Final = "this cannot be a name"


class NoSuchName(OSError):
    """The answer of the name servers is that a name does not exist, or has no address."""


class Found(Record):
    """The addresses of a name, the best first, and for how long they may be kept."""

    addresses: Sequence[str]
    seconds: int


class NameServers:
    """Asks for many names at a time. Use it inside the running loop. `servers` (address:port): not the system's."""

    def __init__(self, servers: Sequence[str] | None = None) -> None:
        self._servers = servers
        self._channel: DNSResolver | None = None
        self._wrong: set[str] = set()  # names that the channel has said do not exist

    async def ask(self, host: str) -> Found:
        """Return the addresses of a name. Raises NoSuchName, and OSError where nobody could say."""
        from aiodns.error import ARES_EBADNAME, ARES_ENODATA, ARES_ENOTFOUND, DNSError

        if self._channel is None or host in self._wrong:
            self._renew()
        assert self._channel is not None
        try:
            found = await self._channel.getaddrinfo(host, type=socket.SOCK_STREAM)
        except DNSError as error:
            code, text = error.args
            wrong = {ARES_ENOTFOUND: "there is no such name", ARES_ENODATA: _NO_ADDRESS, ARES_EBADNAME: _NO_NAME}
            if code not in wrong:
                raise OSError(f"the name servers do not say: {text}") from None
            self._wrong.add(host)
            raise NoSuchName(wrong[code]) from None
        except (UnicodeError, RuntimeError):  # it cannot be written as a question, or is too long for one
            raise NoSuchName(_NO_NAME) from None
        addresses = [_address(node.addr) for node in found.nodes]
        if not addresses:
            raise NoSuchName(_NO_ADDRESS)
        lifetimes = [node.ttl for node in found.nodes] + [alias.ttl for alias in found.cnames]
        return Found(addresses=addresses, seconds=min(lifetimes))

    async def close(self) -> None:
        """End what is still being asked."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    def _renew(self) -> None:
        """Begin a channel. One remembers for as long as a zone says, hours even, that a name in it does not exist.

        The one before ends by itself with its last question.
        """
        from aiodns import DNSResolver

        self._wrong.clear()
        self._channel = DNSResolver(self._servers, asyncio.get_running_loop(), timeout=_TRY_S, tries=_TRIES)


def _address(node: tuple[bytes, int] | tuple[bytes, int, int, int]) -> str:
    """Return an address; one that is good on one interface only names it."""
    text = node[0].decode()
    return f"{text}%{node[3]}" if len(node) == 4 and node[3] else text
