"""A relay of real processes, and what hooks cost each of them."""

import os
import signal
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any, Final, NamedTuple

from tests.bench.deliver import Receiver
from tests.bench.growth.files import as_yaml, configuration
from tests.bench.growth.measured_stores import MeasuredStores, one_store
from tests.bench.growth.player import PlannedHook, PlayedHook, play
from tests.bench.measuring import BOTH, cpu_seconds_of_tree, free_port, process, until
from tests.bench.stack import web_command, worker_command

REPETITIONS: Final = 8
AGAIN_A_SECOND: Final = 200
PATIENCE_SECONDS: Final = 240  # to start, and to finish, whatever else the machine does
PAUSED_SECONDS: Final = 15  # a worker that stands still for longer is ended


class HookCosts(NamedTuple):
    """What a hook cost, with its deliveries. `longest_ms`: of the store's scripts, by the clock on the wall."""

    web_cpu_us: float
    worker_cpu_us: float
    store_cpu_us: float
    commands: float
    scripts: float
    synced_writes: float
    written_bytes: float
    longest_ms: float
    late_ms: float  # half of those that came alone arrived within that time

    def rounded(self) -> dict[str, float]:
        return {name: round(value, 2) for name, value in self._asdict().items()}


class MeasuredRelay:
    """Store, broker, web and workers on both cores, and a receiver."""

    def __init__(
        self,
        stack: ExitStack,
        folder: Path,
        config: Callable[[str], Mapping[str, Any]] = configuration,
        *,
        workers: int = 1,
        answer_after_ms: float = 0,
        namespace: str = "relay",
        stores: Callable[[ExitStack, Path, str], MeasuredStores] = one_store,
    ) -> None:
        folder.mkdir()
        self.folder, self.port, self.namespace = folder, free_port(), namespace
        self.stores = stores(stack, folder, namespace)
        self.receiver = Receiver(stack, folder, answer_after_ms, BOTH)
        self.config = config(self.receiver.url)
        (folder / "relay.yaml").write_text(as_yaml(self.config))
        self.variables = {
            "REDIS_URL": self.stores.url,
            "CELERY_BROKER_URL": self.stores.broker_url,
            "RELAY_WAITAOF": "0",  # the servers answer a write when it is on their disks
            "RELAY_CONFIG": str(folder / "relay.yaml"),
            "RELAY_NAMESPACE": namespace,
            "RELAY_LOG": "json",
            "PYTHONPATH": os.getcwd(),
        }
        began = time.monotonic()
        web = web_command(self.port, "relay.web.app:create", "--factory")
        self.web = stack.enter_context(process(web, BOTH, folder / "web.log", **self.variables))
        self.workers = [
            stack.enter_context(process(worker_command(), BOTH, folder / f"worker{n}.log", **self.variables))
            for n in range(workers)
        ]
        until(self._is_ready, PATIENCE_SECONDS, 0.05)
        used = self.cpu_seconds()
        self.start = {
            "start_cpu_ms": round((used["web"] + used["workers"]) * 1000),
            "start_ms": round((time.monotonic() - began) * 1000),
        }

    def _is_ready(self) -> bool:
        """Return whether web listens, and every shard knows the workers."""
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", self.port)):
                return False
        return self.stores.workers() >= len(self.workers)

    def measure(self, hooks: Sequence[PlannedHook], lone: Sequence[PlannedHook]) -> HookCosts:
        """Post hooks while no worker works, then let them work; then post some that come alone.

        So web takes them in whole groups and the workers claim whole batches, whatever else the machine does.
        """
        before, written, synced = self.cpu_seconds(), self.stores.written_bytes(), self.stores.costs()
        self.stores.reset_slow()
        with self.paused(self.workers):
            self.post(hooks)
        self.wait_for_leads({one.number for one in hooks})
        used = {name: (cpu - before[name]) / len(hooks) * 1e6 for name, cpu in self.cpu_seconds().items()}
        costs = self.stores.costs() - synced
        return HookCosts(
            web_cpu_us=used["web"],
            worker_cpu_us=used["workers"],
            store_cpu_us=used["store"],
            commands=costs.commands / len(hooks),
            scripts=costs.scripts / len(hooks),
            synced_writes=costs.synced_writes / len(hooks),
            written_bytes=(self.stores.written_bytes() - written) / len(hooks),
            longest_ms=self.stores.longest_ms(),
            late_ms=self._lone(lone),
        )

    def _lone(self, hooks: Sequence[PlannedHook]) -> float:
        began = {one.number: one.began for one in self.post(hooks)}
        arrived = self.wait_for_leads(began.keys())
        return statistics.median((arrived[number] - at) * 1000 for number, at in began.items())

    def post(self, hooks: Sequence[PlannedHook]) -> list[PlayedHook]:
        """Post hooks, and those that were not taken again, as amoCRM does. Returns what came of the first time."""
        first = left = play(self.port, hooks)
        for _ in range(REPETITIONS):
            missing = {one.number for one in left if not one.taken}
            if not missing:
                return first
            again = [one for one in hooks if one.number in missing]
            left = play(self.port, [one._replace(seconds=n / AGAIN_A_SECOND) for n, one in enumerate(again)])
        raise AssertionError(f"hooks were not taken: {left[0]}")

    def wait_for_leads(self, numbers: Set[int]) -> Mapping[int, float]:
        """Wait until all of these have arrived and nothing is left to do. Returns when each arrived."""
        until(lambda: numbers <= self._arrival_times().keys(), PATIENCE_SECONDS, 0.2)
        until(lambda: not self.stores.unfinished(), PATIENCE_SECONDS, 0.2)
        return self._arrival_times()

    def _arrival_times(self) -> dict[int, float]:
        return {int(lead): at for lead, at in self.receiver.ask("times").items()}

    @contextmanager
    def paused(self, processes: "Sequence[Popen[bytes]]") -> Iterator[None]:
        """Let processes stand still, so that nothing is counted but what is done meanwhile."""
        for one in processes:
            one.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        yield
        assert time.monotonic() - began < PAUSED_SECONDS, "the processes stood still for too long"
        for one in processes:
            one.send_signal(signal.SIGCONT)

    def cpu_seconds(self) -> dict[str, float]:
        """Return what web, the workers and the stores have used by now."""
        return {
            "web": cpu_seconds_of_tree(self.web.pid),
            "workers": sum(cpu_seconds_of_tree(worker.pid) for worker in self.workers),
            "store": self.stores.cpu_seconds(),
        }
