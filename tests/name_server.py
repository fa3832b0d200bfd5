"""A name server of the tests' own: UDP on 127.0.0.1. It answers, says that there is no such name, or nothing at all."""

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

from relay.transport.name_servers import NameServers

_A, _SOA, _AAAA = 1, 6, 28
ZONE_S = 3600  # for how long its zone says that there is no name


class FakeNameServer(asyncio.DatagramProtocol):
    """Knows the `names` it is given; of any other it says that it does not exist.

    `hangs`: beginnings of names of which it says nothing. `silent`: it says nothing at all.
    """

    def __init__(self, names: dict[str, list[str]] | None = None, *, ttl: int = 60, hangs: str = "hang") -> None:
        self.names = names or {}
        self.ttl = ttl
        self.hangs = hangs
        self.silent = False
        self.asked: Counter[str] = Counter()  # how often for the IPv4 addresses of a name

    @asynccontextmanager
    async def open(self) -> AsyncIterator[NameServers]:
        """Listen, and return what asks it."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.address = "127.0.0.1:{}".format(transport.get_extra_info("sockname")[1])
        try:
            yield NameServers([self.address])
        finally:
            transport.close()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        name, end = _name(data)
        (kind,) = struct.unpack_from(">H", data, end)
        self.asked[name] += kind == _A
        if not self.silent and not name.startswith(self.hangs):
            self._transport.sendto(self._answer(data[:2], data[12 : end + 4], name, kind), sender)

    def _answer(self, id: bytes, question: bytes, name: str, kind: int) -> bytes:
        if name not in self.names:
            times = struct.pack(">IIIII", 1, 1, 1, 1, ZONE_S)
            record = b"\xc0\x0c" + struct.pack(">HHIH", _SOA, 1, ZONE_S, 2 + len(times)) + b"\0\0" + times
            return id + struct.pack(">HHHHH", 0x8183, 1, 0, 1, 0) + question + record
        found = [ip_address(text) for text in self.names[name]]
        addresses = [address.packed for address in found if kind == (_A if address.version == 4 else _AAAA)]
        records = [b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, self.ttl, len(packed)) + packed for packed in addresses]
        return id + struct.pack(">HHHHH", 0x8180, 1, len(records), 0, 0) + question + b"".join(records)


def _name(message: bytes) -> tuple[str, int]:
    labels, at = [], 12
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels).lower(), at + 1


def names_of_this_machine() -> dict[str, str]:
    """Return the names of /etc/hosts with an IPv4 address, and that address."""
    found: dict[str, str] = {}
    for line in Path("/etc/hosts").read_text(encoding="utf-8").splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if "." in address and ":" not in address:
            found |= {name: address for name in names if name not in found and name != "localhost"}
    return found
