"""A connection to a mail server: commands out, replies in (RFC 5321, 4.2), and the change to TLS (RFC 3207)."""

import asyncio
import re
import ssl
from typing import Final, cast

from relay.model import Record
from relay.transport import OpenedConnection

_MAX_REPLY: Final = 32 * 1024  # bytes of all lines of a reply
_LINE: Final = re.compile(rb"([2-5]\d\d)([ -]?)([^\r\n]*)\r?\n")


class SmtpReply(Record):
    """A reply: its code, and the text of each line."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return it in one line."""
        return f"{self.code} {' '.join(self.lines)}".rstrip()


class NotSmtp(Exception):
    """What they say is no reply of a mail server."""


class SmtpConnection(OpenedConnection):
    """Writes a command and reads its reply, one after another. Raises OSError where the connection is lost."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._lines: list[str] = []
        self._reply: asyncio.Future[SmtpReply] = self._loop.create_future()  # the greeting
        self._flushed: asyncio.Future[None] | None = None

    @property
    def local_address(self) -> str:
        """Return our own address as a mail server is told it (RFC 5321, 4.1.3)."""
        name = self._transport.get_extra_info("sockname") or ("127.0.0.1",)  # of one that is closed nothing is known
        address = str(name[0]).partition("%")[0]
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    @property
    def is_open(self) -> bool:
        """Return whether neither side has closed it, as far as we know."""
        return not self._transport.is_closing()

    async def reply(self) -> SmtpReply:
        """Return the next reply. Raises OSError, NotSmtp."""
        return await self._reply

    async def command(self, line: str) -> SmtpReply:
        """Send a command and return its reply. Raises OSError, NotSmtp."""
        self._expect()
        self._transport.write(f"{line}\r\n".encode())
        return await self.reply()

    def expect_reply(self) -> None:
        """Say that a reply is due for what is sent next. Raises OSError."""
        self._expect()

    async def send(self, data: bytes) -> bool:
        """Write a part of a message and wait until it has left; False where they have replied, or are gone, before.

        Raises OSError where the connection is lost meanwhile.
        """
        if self._reply.done():
            return False
        self._transport.write(data)
        if self._transport.get_write_buffer_size():
            self._flushed = self._loop.create_future()
            await self._flushed
        return True

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Go on in TLS, after the server agreed to it. Raises OSError, ssl.SSLError among it."""
        if self._buffer:  # written in plain text by who knows whom (RFC 3207, 4.2)
            raise ConnectionResetError("they went on in plain text after STARTTLS")
        transport = await self._loop.start_tls(self._transport, self, context, server_hostname=host)
        if transport is None:
            raise ConnectionResetError("they closed the connection")
        self._use(transport)

    def quit(self) -> None:
        """Say goodbye and close it; whatever they answer to that is of no use."""
        if not self._transport.is_closing():
            self._transport.write(b"QUIT\r\n")
            self._transport.close()

    def abort(self) -> None:
        """Close it at once."""
        self._transport.abort()

    def _expect(self) -> None:
        if self._reply.done():
            error = None if self._reply.cancelled() else self._reply.exception()
            if error is not None:
                raise error
            self._reply = self._loop.create_future()
        if self._buffer:
            raise ConnectionResetError("they say more than they were asked")
        if self._transport.is_closing():
            raise ConnectionResetError("they closed the connection")

    def _use(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=1, low=0)  # so that `send` knows when nothing is left to write

    def _fail(self, error: Exception) -> None:
        for waiting in (self._reply, self._flushed):
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)
                waiting.exception()  # whether somebody waits for it or not

    # The methods of asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._use(transport)

    def resume_writing(self) -> None:
        """Let `send` return: all that was written has left."""
        if self._flushed is not None and not self._flushed.done():
            self._flushed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Read a part of a reply."""
        self._buffer += data
        if len(self._buffer) > _MAX_REPLY:
            self._refuse("more than a reply may have")
            return
        while not self._reply.done() and (line := _LINE.match(self._buffer)):
            self._buffer = self._buffer[line.end() :]
            self._lines.append(line[3].decode("utf-8", "replace").strip())
            if line[2] != b"-":
                self._reply.set_result(SmtpReply(code=int(line[1]), lines=tuple(self._lines)))
                self._lines = []
        if b"\n" in self._buffer and not self._reply.done():
            self._refuse(repr(self._buffer.partition(b"\n")[0][:60].decode("utf-8", "replace")))

    def connection_lost(self, error: Exception | None) -> None:
        """End what waits for a reply."""
        super().connection_lost(error)
        self._fail(error or ConnectionResetError("they closed the connection"))

    def _refuse(self, what: str) -> None:
        self._fail(NotSmtp(f"this is no mail server: it says {what}"))
        self._transport.abort()
