"""One connection, and the one exchange that is on it."""

import asyncio
from typing import cast

from httptools import HttpParserError

from relay.transport.messages import Response
from relay.transport.response_parser import ResponseParser


class Connection(asyncio.Protocol):
    """Writes requests and reads their answers, one at a time."""

    def __init__(self) -> None:
        self.idle_until = 0.0  # by the loop's clock
        self.wrote = False  # whether anything of the last request has left
        self._reader = ResponseParser()
        self._answer: asyncio.Future[Response] | None = None
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    @property
    def usable(self) -> bool:
        """Return whether a request may be written to it."""
        return not self._transport.is_closing()

    async def exchange(self, message: bytes, deadline: float) -> Response:
        """Write a request and read its answer until `deadline` (the loop's clock). Only on a usable connection.

        Raises OSError (also TimeoutError) and HttpParserError. Afterwards the connection is usable where another
        exchange may follow on it; otherwise, and where this is cancelled, it is closed.
        """
        self._reader.begin()
        self.wrote = False
        self._answer = self._loop.create_future()
        timer = self._loop.call_at(deadline, self._give_up)
        # Behind whatever else begins in this turn of the loop: many requests in a row wake those who read them once.
        self._loop.call_soon(self._write, message)
        try:
            answer = await self._answer
        except BaseException:
            self._transport.abort()
            raise
        finally:
            timer.cancel()
            self._answer = None
        # They may answer before they have read all of it, and go on reading.
        if not self._reader.reusable or self._transport.get_write_buffer_size():
            self._transport.abort()
        return answer

    def abort(self) -> None:
        """Close it now."""
        self._transport.abort()

    def _write(self, message: bytes) -> None:
        if not self.usable or self._answer is None or self._answer.done():  # it has ended before it began
            return
        try:
            self._transport.write(message)
            self.wrote = True
        except Exception as error:  # noqa: BLE001  who waits for the answer is told, not the loop
            self._end(None, error)

    def _give_up(self) -> None:
        self._end(self._reader.stop(ended=False), TimeoutError("no answer in time"))

    def _end(self, answer: Response | None, error: Exception) -> None:
        if self._answer is None or self._answer.done():
            return
        if answer is not None:
            self._answer.set_result(answer)
        else:
            self._answer.set_exception(error)

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read a piece of the answer. What nobody asked for ends the connection: a server says so that it closes."""
        if self._answer is None or self._answer.done() or not self.wrote:
            self._transport.abort()
            return
        try:
            self._reader.feed(data)
        except HttpParserError as error:
            self._end(None, error)
            return
        if self._reader.response is not None:
            self._answer.set_result(self._reader.response)

    def connection_lost(self, error: Exception | None) -> None:
        """End what waits for an answer."""
        self._end(self._reader.stop(ended=error is None), error or ConnectionResetError("they closed the connection"))
        if not self.lost.done():
            self.lost.set_result(None)
