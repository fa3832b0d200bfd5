"""What `relay up` keeps running: the store, its broker, web processes with a spare one, workers."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any, Final, TypeAlias

from relay.embedded.server import EmbeddedStore
from relay.processes.commands import standby_web_arguments, worker_arguments
from relay.up.child_processes import ChildProcess
from relay.up.children import OTHERS, STORE, Children
from relay.up.handover import Handover
from relay.up.loading import wait_until_loaded
from relay.up.log_files import LogFiles
from relay.up.slots import GRACE_SECONDS, Slot
from relay.up.standby import WebStandby

STORE_SECONDS: Final = 60.0  # in which it writes what it has in memory, and ends
SPARE = "web:spare"
_Adopted: TypeAlias = tuple[ChildProcess | None, ChildProcess | None, list[ChildProcess], list[ChildProcess]]


@dataclass(frozen=True)
class UpOptions:
    """What is to run. `environ` is that of the processes, with addresses; `store`, `broker`: None where it is not ours.

    `logs`: what is kept short; their output goes there unless `to_stdout`: then it goes where ours does.
    """

    environ: Mapping[str, str]
    store: EmbeddedStore | None
    broker: EmbeddedStore | None
    web: int
    workers: int
    logs: LogFiles
    to_stdout: bool


class Formation:
    """The processes of one relay. Made, and used, in a running event loop."""

    def __init__(self, options: UpOptions, lock: int, listening: socket.socket) -> None:
        self._options = options
        self._listening = listening
        self._children = Children(options.environ, lock, None if options.to_stdout else options.logs)
        self._standby = WebStandby(self._spawn_spare)
        self._web: Sequence[Slot] = ()
        self._workers: Sequence[Slot] = ()
        self._outdated: Sequence[Slot] = ()  # what was handed over: the program before has started it
        self._surplus: Sequence[ChildProcess] = ()  # and is more than there are to be
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self, before_work: Callable[[], Awaitable[None]], handover: Handover | None = None) -> None:
        """Start what is not handed over. `before_work`: once the store answers. Raises RelayError, OSError."""
        store, broker, web, workers = self._adopt(handover)
        guard = Slot("guard", self._children.start_guard, await self._children.start_guard())
        if handover is not None:
            self._children.retire_guard(handover.guard_pid, handover.guard_pipe)
        self._keep(guard.keep(), self._standby.keep())
        if self._options.store is not None:
            if handover is None:
                store = await self._start_store()
            self._keep(Slot("store", self._start_store, store).keep())
        if self._options.broker is not None:
            self._keep(Slot("broker", self._start_broker, broker).keep())
        await before_work()
        self._web = _slots("web", self._options.web, self._start_web, web)
        self._workers = _slots("worker", self._options.workers, self._start_worker, workers)
        self._outdated = [slot for slot in (*self._web, *self._workers) if slot.current is not None]
        self._surplus = [*web[self._options.web :], *workers[self._options.workers :]]
        self._keep(*(slot.keep() for slot in (*self._web, *self._workers)))

    def _adopt(self, handover: Handover | None) -> _Adopted:
        if handover is None:
            return None, None, [], []
        adopt = self._children.adopt
        store = adopt("store", handover.store_pid, STORE) if handover.store_pid else None
        broker = adopt("broker", handover.broker_pid, STORE) if handover.broker_pid else None
        web = [adopt("web", pid) for pid in handover.web]
        return store, broker, web, [adopt("worker", pid) for pid in handover.workers]

    def _keep(self, *keeping: Coroutine[Any, Any, None]) -> None:
        self._keepers += [asyncio.create_task(one) for one in keeping]

    async def _start_store(self) -> ChildProcess:
        store = self._options.store
        assert store is not None
        store.spawn(pass_fds=(self._children.lock,))
        process = self._children.adopt("store", store.pid, STORE)
        await wait_until_loaded(store)
        return process

    async def _start_broker(self) -> ChildProcess:
        """Start the broker, and wait for nothing: web and workers do without one."""
        broker = self._options.broker
        assert broker is not None
        broker.spawn(pass_fds=(self._children.lock,))
        return self._children.adopt("broker", broker.pid, STORE)

    def _spawn_spare(self, standby: int) -> ChildProcess:
        listening = self._listening.fileno()
        return self._children.spawn(SPARE, standby_web_arguments(listening, standby), (listening, standby))

    async def _start_web(self, name: str) -> ChildProcess:
        process = await self._standby.take()
        process.name = name
        return process

    async def _start_worker(self, name: str) -> ChildProcess:
        return self._children.spawn(name, worker_arguments())

    async def wait_until_ready(self) -> None:
        """Wait until every web process and worker has been ready once."""
        while any(slot.current is None or not slot.current.ready.done() for slot in (*self._web, *self._workers)):
            self.check()
            await asyncio.sleep(0.05)

    def facts(self) -> dict[str, object]:
        """Return where hooks are taken, how many processes there are, and where they write to."""
        host, port, *_ = self._listening.getsockname()
        logs = "stdout" if self._options.to_stdout else str(self._options.logs.folder)
        return {"address": f"{host}:{port}", "web": len(self._web), "workers": len(self._workers), "logs": logs}

    def check(self) -> None:
        """Raise what made a keeper end: each keeps its process for ever."""
        for keeper in self._keepers:
            if keeper.done():
                keeper.result()

    async def replace_all(self) -> None:
        """Replace the web processes and workers that were handed over, one by one.

        Raises RelayError where a new one is not ready.
        """
        for slot in self._outdated:
            await slot.replace()
        for process in self._surplus:
            await process.end(GRACE_SECONDS)

    async def hand_over(self, start: str, reloads: int) -> Handover:
        """Stop keeping the processes, and return what the next program needs to do it."""
        await self._stop_keeping()
        await self._standby.end()
        return Handover(  # copies of the files: the objects that have them open end before this program does
            listening=os.dup(self._listening.fileno()),
            lock=os.dup(self._children.lock),
            guard_pid=self._children.guard.pid,
            guard_pipe=os.dup(self._children.guard.fileno()),
            own_store=self._options.store is not None,
            store_pid=next(iter(self._children.pids("store")), None),
            broker_pid=next(iter(self._children.pids("broker")), None),
            store_url=self._options.environ["REDIS_URL"],
            namespace=self._options.environ["RELAY_NAMESPACE"],
            web=self._children.pids("web"),
            workers=self._children.pids("worker"),
            start=start,
            reloads=reloads,
        )

    async def end(self) -> None:
        """End all in order: web takes no more and answers what it has read, workers finish, then the store ends."""
        await self._stop_keeping()
        await self._standby.end()
        self._listening.close()
        await self._children.end(OTHERS, GRACE_SECONDS)
        await self._children.end(STORE, STORE_SECONDS)
        for server in (self._options.store, self._options.broker):
            if server is not None:
                server.socket.unlink(missing_ok=True)
        self._children.end_guard()

    async def _stop_keeping(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers.clear()


def _slots(
    kind: str, count: int, start: Callable[[str], Awaitable[ChildProcess]], current: Sequence[ChildProcess]
) -> list[Slot]:
    """Make so many slots, named `worker`, `worker:2` and so on."""
    names = [kind if number == 1 else f"{kind}:{number}" for number in range(1, count + 1)]
    return [Slot(name, partial(start, name), process) for name, process in zip_longest(names, current[:count])]
