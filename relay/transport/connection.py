"""One connection, which carries one exchange at a time."""

import asyncio
import ctypes
import select
from typing import Final, cast

from httptools import HttpParserError

from relay.deadline import Deadline
from relay.transport.messages import Response
from relay.transport.response_parser import ResponseParser
from relay.transport.tls import said_end

# Called with the interpreter's lock held: it does not wait, and select.poll lets go of the lock, so that at each call a
# thread that computes takes it for milliseconds.
_poll: Final = ctypes.PyDLL(None).poll


class ConnectionEnded(ConnectionResetError):
    """A kept connection had ended by the time at which a request was to be written: nothing of it was."""


class _PollFd(ctypes.Structure):
    """What poll(2) is asked, and answers."""

    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


class Connection(asyncio.Protocol):
    """Writes requests and reads their answers, one after another."""

    def __init__(self) -> None:
        self.idle_since = self.idle_until = 0.0  # by the loop's clock
        self.wrote = False  # whether any byte of the last request has been written
        self._exchanges = 0
        self._received = False  # whether any byte has come
        self._ended = False  # they have said that nothing more follows
        self._asked: ctypes._Pointer[_PollFd] | None = None  # what `quiet` asks the system
        self._parser = ResponseParser()
        self._answer: asyncio.Future[Response] | None = None
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._time_out)
        self.lost: asyncio.Future[None] = self._loop.create_future()

    @property
    def usable(self) -> bool:
        """Return whether a request may be written to it."""
        return not self._transport.is_closing()

    @property
    def untouched(self) -> bool:
        """Return whether this is its first exchange, and nothing has come of an answer."""
        return self._exchanges == 1 and not self._received

    @property
    def quiet(self) -> bool:
        """Return whether a kept connection is as it was left: neither closed nor spoken on, as far as the system knows.

        The loop may not have come to it yet. It is asked once an exchange, right before the write.
        """
        if self._asked is None:
            descriptor = self._transport.get_extra_info("socket").fileno()  # the same until it is closed
            self._asked = ctypes.pointer(_PollFd(descriptor, select.POLLIN | select.POLLRDHUP, 0))
        return bool(_poll(self._asked, 1, 0) == 0)

    async def exchange(self, message: bytes, deadline: float) -> Response:
        """Write a request and read its answer until `deadline` (the loop's clock). The connection must be usable.

        Raises OSError (TimeoutError included), HttpParserError, and ConnectionEnded where another connection may do.
        Afterwards the connection is usable where another exchange may follow on it; otherwise, and when this is
        cancelled, it is closed.
        """
        self._parser.begin()
        self.wrote = False
        self._exchanges += 1
        self._answer = self._loop.create_future()
        self._deadline.begin(deadline, self._loop)
        # Write at the end of the loop tick: the requests of one tick reach a server together, which wakes it once.
        self._loop.call_soon(self._write, message)
        try:
            answer = await self._answer
        except BaseException:
            self._transport.abort()
            raise
        finally:
            self._deadline.end()
            self._answer = None
        # They may answer before they have read the whole request: then the rest of it is still to be written.
        if not self._parser.reusable or self._transport.get_write_buffer_size():
            self._transport.abort()
        return answer

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def _write(self, message: bytes) -> None:
        if not self.usable or self._answer is None or self._answer.done():  # it has ended before anything was written
            return
        if self._exchanges > 1 and not self.quiet:  # a first one may find TLS's own messages there
            self._finish(None, ConnectionEnded("they closed the connection before the request"))
            return
        try:
            self._transport.write(message)
            self.wrote = True
        except Exception as error:  # noqa: BLE001  it belongs to the caller of `exchange`, not to the loop
            self._finish(None, error)

    def _time_out(self) -> None:
        self._finish(self._parser.stop(ended=False), TimeoutError("no answer in time"))

    def _finish(self, answer: Response | None, error: Exception) -> None:
        if self._answer is None or self._answer.done():
            return
        if answer is not None:
            self._answer.set_result(answer)
        else:
            self._answer.set_exception(error)

    # The methods of asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._asked = None

    def data_received(self, data: bytes) -> None:
        """Read a part of the answer. Bytes outside of an exchange close the connection: nobody asked for them."""
        self._received = True
        if self._answer is None or self._answer.done() or not self.wrote:
            self._transport.abort()
            return
        try:
            self._parser.feed(data)
        except HttpParserError as error:
            self._finish(None, error)
            return
        if self._parser.response is not None:
            self._answer.set_result(self._parser.response)

    def eof_received(self) -> None:
        """Note that they have ended the connection. Over TLS they must say so: anybody can end what is below it."""
        secured = self._transport.get_extra_info("ssl_object")
        self._ended = secured is None or said_end(secured)

    def connection_lost(self, error: Exception | None) -> None:
        """End the exchange that waits for an answer."""
        self._finish(
            self._parser.stop(ended=self._ended and error is None),
            error or ConnectionResetError("they closed the connection"),
        )
        if not self.lost.done():
            self.lost.set_result(None)
