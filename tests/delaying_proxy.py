"""A proxy that makes a way longer, and not narrower: what comes leaves a fixed time later, however much it is.

Usage: python -m tests.delaying_proxy PORT SOCKET DELAY_MS. Listens on a port of this machine and passes each connection
on to a unix socket; each direction takes DELAY_MS. Prints "ready" when it listens.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable

import uvloop


class DelayedWay:
    """One direction of a connection. Chunks and the end leave in their order, each `delay` seconds after it came.

    No chunk waits for the one before it: the end of the wait is a time, and not a pause after it. `call_at` calls a
    function at a time of `clock`.
    """

    def __init__(
        self,
        delay: float,
        clock: Callable[[], float],
        call_at: Callable[[float, Callable[[], None]], object],
        write: Callable[[bytes], object],
        close: Callable[[], object],
    ) -> None:
        self._delay, self._clock, self._call_at = delay, clock, call_at
        self._write, self._close = write, close
        self._waiting: deque[tuple[float, bytes | None]] = deque()  # None: the end

    def feed(self, data: bytes) -> None:
        self._add(data)

    def end(self) -> None:
        self._add(None)

    def _add(self, data: bytes | None) -> None:
        if self._delay <= 0:
            self._release(data)
            return
        at = self._clock() + self._delay
        self._waiting.append((at, data))
        if len(self._waiting) == 1:
            self._call_at(at, self._release_due)

    def _release_due(self) -> None:
        now = self._clock()
        while self._waiting and self._waiting[0][0] <= now:
            self._release(self._waiting.popleft()[1])
        if self._waiting:
            self._call_at(self._waiting[0][0], self._release_due)

    def _release(self, data: bytes | None) -> None:
        if data is None:
            self._close()
        else:
            self._write(data)


class _End(asyncio.Protocol):
    """One end of a connection. What comes before the other end is there waits for it."""

    def __init__(self, delay: float, ends: "set[_End]", connected: Callable[["_End"], object] = lambda _: None) -> None:
        self._delay, self._ends, self._connected = delay, ends, connected
        self._way: DelayedWay | None = None
        self._early: list[bytes] = []
        self._lost = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self._ends.add(self)
        self._connected(self)

    def lead_to(self, other: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        self._way = DelayedWay(self._delay, loop.time, loop.call_at, other.write, other.close)
        for data in self._early:
            self._way.feed(data)
        if self._lost:
            self._way.end()

    def data_received(self, data: bytes) -> None:
        if self._way is None:
            self._early.append(data)
        else:
            self._way.feed(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._ends.discard(self)
        if self._way is not None:
            self._way.end()


class DelayingProxy:
    """Passes on connections to a unix socket, each direction `delay` seconds later."""

    def __init__(self, socket: str, delay: float) -> None:
        self._socket, self._delay = socket, delay
        self._connecting: set[asyncio.Task[None]] = set()
        self.ends: set[_End] = set()  # of the connections that are open

    async def listen(self, port: int = 0) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", port, backlog=1024)

    def _accept(self) -> asyncio.Protocol:
        return _End(self._delay, self.ends, self._begin)

    def _begin(self, near: _End) -> None:
        task = asyncio.get_running_loop().create_task(self._join(near))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _join(self, near: _End) -> None:
        assert near.transport is not None
        try:
            transport, far = await asyncio.get_running_loop().create_unix_connection(
                lambda: _End(self._delay, self.ends), self._socket
            )
        except OSError:  # as if the store refused it
            near.transport.close()
            return
        near.lead_to(transport)
        far.lead_to(near.transport)


async def main(port: int, socket: str, delay_ms: float) -> None:
    server = await DelayingProxy(socket, delay_ms / 1000).listen(port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
