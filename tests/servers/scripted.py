"""A row of the table, and the server that plays it: one request meets the behaviour, others get plain answers."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.authority import Authority

Behave: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Callable[[], None] | None]]
"""What a server does with a connection; it may return what it does once the client has its answer."""


@dataclass(frozen=True)
class Row:
    """One way of a server. `greet` is what it does to its first connection before any request.

    `https`: it is called so; `tls` makes its context, where TLS is not what the behaviour is about; `by_hand` only
    the handshake is made, and what is wrong with it is said. `proxy`: it is one,
    and asked for tunnels, which lead to itself.
    """

    behaviour: str
    behave: Behave
    right: str
    why: str
    greet: Behave | None = None
    again: bool = True  # whether a second call of the same session reaches the server
    host: str = "books.example.com"
    https: bool = False
    tls: Callable[[Authority], ssl.SSLContext] | None = None
    by_hand: bool = False
    proxy: bool = False

    @property
    def hangs(self) -> bool:
        """Whether a call of it takes all the time that it has."""
        return getattr(self.behave, "hangs", False) or getattr(self.greet, "hangs", False)


def says(*pieces: bytes, then: str = "keep", slowly: bool = False) -> Behave:
    """Return a behaviour that writes some bytes, and then keeps the connection, or will `close`, `reset`, `hang` it."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            for part in [piece[i : i + 1] for i in range(len(piece))] if slowly else [piece]:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
        if then == "close":
            writer.close()
        elif then == "half-close":
            writer.write_eof()
            await reader.read()
        elif then == "reset":
            # What was written must be on its way: a reset throws away what has not left.
            await asyncio.sleep(0.05)
            reset(writer)
        elif then == "hang":
            await reader.read()

    behave.hangs = then == "hang"  # type: ignore[attr-defined]
    return behave


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass
class Server:
    """Plays a row. `applied`: the paths of the requests that it has read whole, in their order."""

    row: Row
    applied: list[str] = field(default_factory=list)
    connections: int = 0
    finish: Callable[[], None] | None = None
    port: int = 0

    @asynccontextmanager
    async def open(self, authority: Authority) -> AsyncIterator["Server"]:
        """Listen on a port of this machine."""
        tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks[task] = writer
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, RuntimeError):
                await self._serve(reader, writer)
            writer.close()

        context = self.row.tls(authority) if self.row.tls else None
        self._context = context
        if self.row.by_hand:
            context = None
        listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listener.close()
            for writer in tasks.values():
                if not writer.is_closing():  # a client may have left it open
                    writer.transport.abort()
            await asyncio.gather(*tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.row.by_hand:
            await shake_hands(reader, writer, self._context)
            return
        if self.row.greet is not None and (self.connections == 1 or self.row.https):
            await self.row.greet(reader, writer)
        elif self.row.proxy:
            await tunnel(reader, writer)
        while not writer.is_closing():
            path = await read_request(reader)
            self.applied.append(path)
            if path == "/1":
                self.finish = await self.row.behave(reader, writer)
            else:
                body = path.encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            with contextlib.suppress(ConnectionError):
                await writer.drain()


async def shake_hands(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext | None
) -> None:
    """Make a handshake as a server's library does: an alert reaches the client, and the connection ends in order."""
    assert context is not None
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = context.wrap_bio(incoming, outgoing, server_side=True)
    going_on = True
    while going_on:
        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            going_on = False
        writer.write(outgoing.read())
        await writer.drain()
        if going_on:
            incoming.write(await reader.read(65_536))
    await reader.read()  # the client may have begun to send: what is left unread would be a reset


async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Make the tunnel that is asked for."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")


async def read_request(reader: asyncio.StreamReader) -> str:
    """Read a whole request and return its path."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    await reader.readexactly(int(lengths[0]) if lengths else 0)
    return head.split(b" ")[1].decode()
