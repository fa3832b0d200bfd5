"""The other side of a soak, all on 127.0.0.1: honest receivers, fifty hostile subscribers, senders that are slow."""

import asyncio
import contextlib
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from tests.e2e.harness import TOKEN

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
_PATH = re.compile(rb"POST (/\S*)")
_LEAD = re.compile(rb'"lead":"(\d+)"')

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Receiver:
    """Counts what arrives: by path, and leads by their times."""

    def __init__(self) -> None:
        self.by_path: Counter[str] = Counter()
        self.leads: dict[int, list[float]] = {}

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer every request of a connection with 200."""
        while True:
            head, body = await _read_request(reader)
            if found := _PATH.match(head):
                self.by_path[found[1].decode()] += 1
            if lead := _LEAD.search(body):
                self.leads.setdefault(int(lead[1]), []).append(time.monotonic())
            writer.write(OK)
            await writer.drain()

    def arrived_between(self, begin: float, end: float) -> int:
        """Return how many leads arrived for the first time between two moments (monotonic seconds)."""
        return sum(begin <= times[0] < end for times in self.leads.values())


async def _read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    found = _LENGTH.search(head)
    return head, await reader.readexactly(int(found[1]) if found else 0)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read for ever."""
    while await reader.read(65536):
        pass


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a byte a second."""
    await _read_request(reader)
    for byte in OK * 10:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(1)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Cut the connection where the answer should be."""
    await reader.read(1)
    writer.transport.abort()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer what is no HTTP."""
    await _read_request(reader)
    writer.write(b"\x00\xff\x80 not HTTP \x1b]0;owned\x07\r\n" * 100)
    await writer.drain()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 200, and a body without end."""
    await _read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 500 to everything."""
    await _read_request(reader)
    writer.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()


HOSTILE: Sequence[Talk] = (say_nothing, drip, reset, garbage, endless, fail)


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[int]:
    """Listen on a free port, and talk so on every connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def send_slowly(port: int, rng: random.Random) -> None:
    """Hold a connection of the web process for as long as it lets us, again and again: silent, or a byte a second."""
    hook = f"POST /hooks/source0/{TOKEN} HTTP/1.1\r\nHost: x\r\n"
    begins = [b"", hook.encode(), f"{hook}Content-Length: 1000\r\n\r\n".encode()]
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            begin = rng.choice(begins)
            writer.write(begin)
            closed = asyncio.create_task(reader.read(1))
            while not closed.done():
                writer.write(b"x" if begin else b"")
                await writer.drain()
                await asyncio.wait([closed], timeout=rng.uniform(0.5, 1.5))
            writer.close()
        await asyncio.sleep(rng.random())
