"""Connections over which a script call costs little: redis-py's own way takes five times as much CPU.

It connects, and it sends all other commands.
"""

import asyncio
import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import hiredis
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError, TimeoutError

from relay.deadline import Deadline

Command: TypeAlias = tuple[str | bytes | int, ...]
pack: Callable[[Any], bytes] = hiredis.pack_command  # its stub knows commands of one word only


class ScriptConnection(AbstractConnection):
    """What is added to each kind of connection of redis-py's (`with_exchange`)."""

    _deadline: Deadline | None = None
    _replies: "_Replies | None" = None

    @property
    def is_undisturbed(self) -> bool:
        """Return whether it is connected, and nothing has arrived but the replies to exchanges."""
        return self.is_connected and self._replies is not None and not self._replies.disturbed

    def pack_command(self, *args: Any) -> list[bytes]:
        """Pack by hiredis: redis-py takes a microsecond and more for an argument."""
        name, *rest = args
        return [hiredis.pack_command((*name.split(), *rest))]

    async def exchange(self, data: bytes, replies: int) -> list[Any]:
        """Send packed commands, and return what is answered to each; errors too.

        Raises redis-py's ConnectionError and TimeoutError: then the connection is closed.
        """
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        loop = asyncio.get_running_loop()
        deadline = self._deadline = self._deadline or Deadline(self._abort)
        deadline.begin(loop.time() + (self.socket_timeout or math.inf), loop)
        try:
            return await self._take_replies().exchange(data, replies)
        except BaseException as error:
            await self.disconnect(nowait=True)
            if deadline.passed:
                raise TimeoutError(f"Timeout reading from {self._host_error()}") from None
            if isinstance(error, OSError):
                raise ConnectionError(f"Error while reading from {self._host_error()}: {error}") from error
            raise
        finally:
            deadline.end()

    def _take_replies(self) -> "_Replies":
        assert self._writer is not None  # it is connected
        if self._replies is None or self._replies.transport is not self._writer.transport:
            self._replies = _Replies(self._writer.transport, self._parser._reader)  # type: ignore[attr-defined]
        return self._replies

    async def listen(self, data: bytes) -> None:
        """Send a packed command after which others' messages arrive, and keep what they are for `read`.

        Raises as `exchange` does, and what the server answers where it refuses.
        """
        self._take_replies().keep_news()
        (reply,) = await self.exchange(data, 1)
        if isinstance(reply, Exception):
            raise reply

    async def read(self) -> Any:
        """Return what is published next, however long that takes; an error that is answered, too.

        Raises redis-py's ConnectionError.
        """
        try:
            return await self._take_replies().read()
        except OSError as error:
            raise ConnectionError(f"Error while reading from {self._host_error()}: {error}") from error

    def _abort(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()


def with_exchange(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """Return a kind of connection that has `exchange`, too."""
    return type(kind.__name__, (ScriptConnection, kind), {})


class _Replies(asyncio.Protocol):
    """Takes what a connection receives: in an exchange the replies, else it is for redis-py, which reads a stream.

    A stream is five calls of functions for each reply, and a task that is woken twice.
    """

    def __init__(self, transport: asyncio.WriteTransport, reader: hiredis.Reader) -> None:
        self.transport = transport
        self.disturbed = False  # since the last exchange something arrived, or the connection was lost
        self._others: Any = transport.get_protocol()
        self._reader = reader
        self._found: list[Any] = []
        self._count = 0
        self._answered: asyncio.Future[list[Any]] | None = None
        self._keeps_news = False
        self._news: asyncio.Future[None] | None = None  # `read` waits for it
        self._ended: Exception | None = None  # why nothing more arrives
        transport.set_protocol(self)

    async def exchange(self, data: bytes, count: int) -> list[Any]:
        """Send, and return so many replies. Raises OSError, and redis-py's errors of a connection."""
        if self.transport.is_closing():
            raise ConnectionError("Connection closed by server.")
        self._found, self._count, self.disturbed = [], count, False
        self._answered = asyncio.get_running_loop().create_future()
        try:
            self.transport.write(data)
            return await self._answered
        finally:
            self._answered = None

    def keep_news(self) -> None:
        """Keep what arrives outside of an exchange for `read`, instead of passing it to redis-py."""
        self._keeps_news = True

    async def read(self) -> Any:
        """Return the next of what is kept. Raises OSError, and redis-py's errors of a connection."""
        while (reply := self._reader.gets(False)) is NOT_ENOUGH_DATA:
            if self._ended is not None:
                raise self._ended
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        return reply

    def data_received(self, data: bytes) -> None:
        """Note what was received."""
        if self._answered is None or self._answered.done():
            self._take_others(data)
            return
        try:
            self._reader.feed(data)
            self._read_replies()
        except Exception as error:  # noqa: BLE001  whatever it is, who waits must get it
            self._fail(error)

    def _take_others(self, data: bytes) -> None:
        """Take what answers no exchange."""
        if self._keeps_news:
            self._reader.feed(data)
            self._note_news()
        else:
            self.disturbed = True
            self._others.data_received(data)

    def _read_replies(self) -> None:
        while len(self._found) < self._count:
            reply: Any = self._reader.gets(False)
            if reply is NOT_ENOUGH_DATA:
                return
            if isinstance(reply, ConnectionError):
                raise reply
            if not isinstance(reply, hiredis.PushNotification):
                self._found.append(reply)
        self.disturbed = self._reader.has_data()
        assert self._answered is not None
        self._answered.set_result(self._found)

    def _note_news(self) -> None:
        """Let `read` look at what there is."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _fail(self, error: Exception) -> None:
        self.disturbed = True
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)

    def _end(self, error: Exception) -> None:
        self._ended = error
        self._fail(error)
        self._note_news()

    def eof_received(self) -> bool | None:
        """Note that nothing more is received."""
        self._end(ConnectionError("Connection closed by server."))
        ended: bool | None = self._others.eof_received()
        return ended

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end."""
        self._end(error or ConnectionError("Connection closed by server."))
        self._others.connection_lost(error)

    def pause_writing(self) -> None:
        """Tell redis-py, which may wait for that."""
        self._others.pause_writing()

    def resume_writing(self) -> None:
        """Tell redis-py."""
        self._others.resume_writing()


class ConnectionsInTurn(ConnectionPool):
    """Hands out the connection that was used last; where `max_connections` are in use, the next that comes back.

    redis-py's BlockingConnectionPool does the same, under a lock, with figures of each step that nobody reads here.
    """

    def __init__(self, *, max_connections: int, timeout: float, **settings: Any) -> None:
        super().__init__(max_connections=max_connections, **settings)
        self._timeout = timeout
        self._free = asyncio.Semaphore(max_connections)

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one go, and return their replies. Raises the first error among them, too."""
        data = b"".join(map(pack, commands))
        connection = await self.get_connection()

        async def send() -> list[Any]:
            replies = await connection.exchange(data, len(commands))
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
            return replies

        try:
            return await connection.retry.call_with_retry(send, lambda _: connection.disconnect(nowait=True))
        finally:
            await self.release(connection)

    async def get_connection(self, *_: object, **__: object) -> ScriptConnection:
        """Wait for one. Raises redis-py's ConnectionError where none comes back in time, or none can be opened."""
        if self._free.locked():
            await self._wait_for_one()
        else:
            await self._free.acquire()  # at once
        connection: ScriptConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            if not connection.is_undisturbed:
                await self.ensure_connection(connection)  # what can be read now says that it was closed
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def _wait_for_one(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._free.acquire()
        except builtins.TimeoutError:
            raise ConnectionError("No connection available.") from None

    async def release(self, connection: AbstractConnection) -> None:
        """Take one back."""
        self._in_use_connections.remove(connection)
        try:
            if connection.should_reconnect():  # type: ignore[no-untyped-call]
                await connection.disconnect()
        finally:
            self._available_connections.append(connection)
            self._free.release()

    async def drop(self) -> None:
        """Close all, so that the store's name is resolved again: those in use when their call has ended."""
        await self.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call]  # redis-py leaves it so
        for connection in list(self._available_connections):
            await connection.disconnect(nowait=True)  # at once: nobody is to take one that is still closing
