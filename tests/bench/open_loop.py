"""Post hooks on a fixed schedule, whether or not the ones before were answered: a slow answer delays no other hook.

Usage: open_loop.py PORT FIRST COUNT RATE. Prints the hooks as JSON, each as load_results.SentHook: its status is 0
where there was no answer within the two seconds that amoCRM waits.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence

import uvloop

from tests.bench.stack import TOKEN, lead_body

AMOCRM_WAITS_SECONDS = 2.0
CONNECTIONS = 512  # a hook for which none is free waits for one; its POST has begun by then
AHEAD_SECONDS = 0.1  # before the first one


class Hook:
    """One POST, from its time in the schedule on."""

    def __init__(self, lead: int, path: str, body: bytes) -> None:
        self.lead = lead
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n"
        self.request = f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode() + body
        self.due = self.began = self.ended_at = 0.0
        self.status = 0
        self.ended = asyncio.get_running_loop().create_future()

    def end(self, status: int = 0) -> None:
        if not self.ended.done():
            self.status, self.ended_at = status, time.monotonic()
            self.ended.set_result(None)


class Connection(asyncio.Protocol):
    """One hook at a time; then it takes the next that waits, or is free."""

    def __init__(self, sender: "Sender") -> None:
        self._sender, self._data, self.hook = sender, b"", None

    def connection_made(self, transport) -> None:
        self._transport = transport

    def send(self, hook: Hook) -> None:
        self.hook = hook
        self._transport.write(hook.request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found or len(rest) < _length(head):
            return
        self._data, hook, self.hook = b"", self.hook, None
        assert hook is not None
        hook.end(int(head[9:12]))
        self._sender.release(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._sender.lost(self)

    def close(self) -> None:
        self._transport.close()


def _length(head: bytes) -> int:
    fields = (line.partition(b":") for line in head.split(b"\r\n"))
    return next((int(value) for name, _, value in fields if name.lower() == b"content-length"), 0)


class Sender:
    """The connections of all hooks: kept, and opened where none is free."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[Connection] = []
        self._waiting: list[Hook] = []
        self._open = 0
        self._connecting: set[asyncio.Task[None]] = set()

    def post(self, hook: Hook) -> None:
        hook.began = time.monotonic()
        asyncio.get_running_loop().call_later(AMOCRM_WAITS_SECONDS, hook.end)
        if self._free:
            self._free.pop().send(hook)
            return
        self._waiting.append(hook)
        if self._open < CONNECTIONS:
            self._open += 1
            task = asyncio.create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, made = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        except OSError:
            self._open -= 1
            self._waiting.pop(0).end()
        else:
            self.release(made)

    def release(self, connection: Connection) -> None:
        waiting = next((hook for hook in self._waiting if not hook.ended.done()), None)
        if waiting is None:
            self._waiting.clear()
            self._free.append(connection)
        else:
            del self._waiting[: self._waiting.index(waiting) + 1]
            connection.send(waiting)

    def lost(self, connection: Connection) -> None:
        self._open -= 1
        if connection in self._free:
            self._free.remove(connection)
        if connection.hook is not None:
            connection.hook.end()

    def close(self) -> None:
        for connection in self._free:
            connection.close()


async def post_on_time(port: int, hooks: Sequence[tuple[float, Hook]]) -> None:
    """Post each hook at its time in seconds from now, and wait for the answers."""
    sender, loop = Sender(port), asyncio.get_running_loop()
    begin = loop.time() + AHEAD_SECONDS
    for at, hook in hooks:
        hook.due = begin + at
        loop.call_at(hook.due, sender.post, hook)
    await asyncio.gather(*(hook.ended for _, hook in hooks))
    sender.close()


async def main(port: int, first: int, count: int, rate: float) -> None:
    hooks = [Hook(lead, f"/hooks/bench/{TOKEN}", lead_body(lead)) for lead in range(first, first + count)]
    await post_on_time(port, [(number / rate, hook) for number, hook in enumerate(hooks)])
    json.dump([(hook.lead, hook.due, hook.began, hook.status) for hook in hooks], sys.stdout)


if __name__ == "__main__":
    port, first, count, rate = sys.argv[1:]
    uvloop.run(main(int(port), int(first), int(count), float(rate)))
