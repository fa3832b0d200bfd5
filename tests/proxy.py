"""A proxy of the tests' own: CONNECT, and requests with the whole address. It resolves every host to this machine."""

import asyncio
import contextlib
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias
from urllib.parse import urlsplit

Handler: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class FakeProxy:
    """Passes on whatever is asked for, and records it. `answer` is what it says to CONNECT instead.

    `ports`: where a port of an address is in truth. `credentials` ("user:password") are asked for where they are given.
    `hang`: it reads the request and says nothing. `cut`: "before" it answers, or "after" the tunnel is there it closes.
    """

    def __init__(
        self,
        *,
        ports: dict[int, int] | None = None,
        credentials: str = "",
        answer: bytes = b"",
        answers: dict[str, bytes] | None = None,
        hang: bool = False,
        cut: str = "",
    ) -> None:
        self.ports = ports or {}
        self.credentials = credentials
        self.answer = answer
        self.answers = answers or {}
        self.hang = hang
        self.cut = cut
        self.asked: list[str] = []  # the first line of each request, without its version
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        """Its address."""
        userinfo = f"{self.credentials}@" if self.credentials else ""
        return f"http://{userinfo}127.0.0.1:{self.port}"

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["FakeProxy"]:
        """Listen; close every connection at the end."""
        async with listening(self._serve, tls) as self.port:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await _read_head(reader):
            line, *headers = head.decode().split("\r\n")
            method, target, _ = line.split(" ")
            self.asked.append(f"{method} {target}")
            if self.hang:
                await reader.read()
                return
            if self.cut == "before":
                return
            if refusal := self._refusal(target, headers):
                writer.write(refusal)
                continue
            if method != "CONNECT":
                await self._forward(method, target, headers, reader, writer)
                continue
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            if self.cut != "after":
                await self._join(target, reader, writer)
            return

    def _refusal(self, target: str, headers: list[str]) -> bytes:
        wanted = f"proxy-authorization: Basic {b64encode(self.credentials.encode()).decode()}"
        if self.credentials and wanted.lower() not in (header.lower() for header in headers):
            return b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        return self.answers.get(target, self.answer)

    @asynccontextmanager
    async def _dial(self, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports.get(port, port))
        try:
            yield reader, writer
        finally:
            await _close(writer)

    async def _join(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._dial(int(target.rpartition(":")[2])) as (there_reader, there_writer):
            await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))

    async def _forward(
        self, method: str, target: str, headers: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Pass on one request, and its answer. Where there is none, the connection ends."""
        parts = urlsplit(target)
        kept = [header for header in headers if header and not header.lower().startswith("proxy-")]
        body = await reader.readexactly(_length(headers))
        async with self._dial(parts.port or 80) as (there_reader, there_writer):
            there_writer.write("\r\n".join([f"{method} {parts.path} HTTP/1.1", *kept, "", ""]).encode() + body)
            head = await there_reader.readuntil(b"\r\n\r\n")
            writer.write(head + await there_reader.readexactly(_length(head.decode().split("\r\n"))))


@asynccontextmanager
async def listening(serve: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a port of this machine, and end all connections at the end."""
    tasks = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            await _close(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def _length(headers: list[str]) -> int:
    return next((int(header[15:]) for header in headers if header.lower().startswith("content-length:")), 0)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
