"""A port of this machine before a store, as a name service or a platform puts one there: it may move, or speak TLS.

As a network does it may also delay, swallow, or lose what the store answers.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from relay.processes.ports import free_port

_POLL_SECONDS = 0.05
# Those that only ask a worker whether it listens are empty.
_WAKE_UP = re.compile(rb"\*3\r\n\$8\r\nsmessage\r\n\$\d+\r\n[^\r]*\r\n\$([1-9]\d*)\r\n")


class StoreFront:
    """Passes connections on to a store's unix socket; those that stand stay where they are when `socket` changes.

    `delay_seconds`: what is sent arrives so much later, in both directions. `swallows`: nothing arrives, nor is a
    connection closed, until that is over. `loses_answers`: connections are reset once the store has answered.
    `change_wake_up`: returns what arrives in place of a message that calls a worker to a queue.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.port = free_port()
        self.delay_seconds = 0.0
        self.swallows = False
        self.loses_answers = False
        self.change_wake_up: Callable[[bytes], bytes] | None = None

    @property
    def url(self) -> str:
        """The value for REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy in both directions until both sides have ended."""
        store_reader, store_writer = await asyncio.open_unix_connection(str(self.socket))
        try:
            await asyncio.gather(self._copy(reader, store_writer), self._copy(store_reader, writer, answers=True))
        finally:
            store_writer.close()
            writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False) -> None:
        """Copy until one side ends, however it ends, then end the other."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if answers and self.loses_answers:
                    _reset(writer)
                    return
                if answers and (change := self.change_wake_up) is not None:
                    data = _change_wake_ups(data, change)
                await asyncio.sleep(self.delay_seconds)
                while self.swallows:  # noqa: ASYNC110  it is set in another thread
                    await asyncio.sleep(_POLL_SECONDS)
                writer.write(data)
                await writer.drain()
        writer.close()


def _change_wake_ups(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change the messages in what was read at once; they may hold any bytes."""
    changed, at = b"", 0
    while found := _WAKE_UP.search(data, at):
        end = found.end() + int(found[1]) + len(b"\r\n")
        changed += data[at : found.start()] + change(data[found.start() : end])
        at = end
    return changed + data[at:]


@contextmanager
def store_front(socket: Path, tls: ssl.SSLContext | None = None) -> Iterator[StoreFront]:
    """Run a front in a thread."""
    front, loop = StoreFront(socket), asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(front.pass_on, "127.0.0.1", front.port, ssl=tls))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield front
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_cancel_all())
        loop.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by a reset, not in order."""
    plain: socket.socket = writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
