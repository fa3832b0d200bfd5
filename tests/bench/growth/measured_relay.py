"""A relay of real processes, and what hooks cost each of them."""

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import redis

from relay.embedded.broker import make_broker
from tests.bench.deliver import Receiver
from tests.bench.growth.files import as_yaml, configuration
from tests.bench.growth.player import PlannedHook, PlayedHook, play
from tests.bench.measuring import BOTH, cpu_seconds_of_tree, free_port, process, until
from tests.bench.stack import relay_store, web_command, worker_command
from tests.bench.store_costs import read_costs

REPETITIONS: Final = 8
AGAIN_A_SECOND: Final = 200
PATIENCE_SECONDS: Final = 240  # to start, and to finish, whatever else the machine does
PAUSED_SECONDS: Final = 15  # a worker that stands still for longer is ended
SLOW_MICROSECONDS: Final = 500  # scripts that take longer are looked at


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
        store_url: Callable[[ExitStack, str], str] = lambda _, url: url,
    ) -> None:
        folder.mkdir()
        self.folder, self.port, self.namespace = folder, free_port(), namespace
        self.store = stack.enter_context(relay_store(folder / "store", BOTH))
        self.receiver = Receiver(stack, folder, answer_after_ms, BOTH)
        self.config = config(self.receiver.url)
        (folder / "relay.yaml").write_text(as_yaml(self.config))
        self.variables = {
            "REDIS_URL": store_url(stack, self.store.url),
            "CELERY_BROKER_URL": make_broker(self.store.folder).url,
            "RELAY_CONFIG": str(folder / "relay.yaml"),
            "RELAY_NAMESPACE": namespace,
            "RELAY_LOG": "json",
            "PYTHONPATH": os.getcwd(),
        }
        web = web_command(self.port, "relay.web.app:create", "--factory")
        self.web = stack.enter_context(process(web, BOTH, folder / "web.log", **self.variables))
        self.workers = [
            stack.enter_context(process(worker_command(), BOTH, folder / f"worker{n}.log", **self.variables))
            for n in range(workers)
        ]
        self.client = stack.enter_context(redis.Redis.from_url(self.store.url))
        self.client.config_set("slowlog-log-slower-than", SLOW_MICROSECONDS)
        self.client.config_set("slowlog-max-len", 10_000)
        until(lambda: len(self.client.zrange(f"{{{namespace}}}:workers", 0, -1)) >= workers, PATIENCE_SECONDS, 0.1)

    def measure(self, hooks: Sequence[PlannedHook], lone: Sequence[PlannedHook]) -> HookCosts:
        """Post hooks while no worker works, then let them work; then post some that come alone.

        So web takes them in whole groups and the workers claim whole batches, whatever else the machine does.
        """
        before, written, synced = self._cpu(), self._written(), read_costs([self.store])
        self.client.slowlog_reset()
        with self._paused():
            self.post(hooks)
        self.wait_for_leads({one.number for one in hooks})
        used = {name: (cpu - before[name]) / len(hooks) * 1e6 for name, cpu in self._cpu().items()}
        costs = read_costs([self.store]) - synced
        return HookCosts(
            web_cpu_us=used["web"],
            worker_cpu_us=used["workers"],
            store_cpu_us=used["store"],
            commands=costs.commands / len(hooks),
            scripts=costs.scripts / len(hooks),
            synced_writes=costs.synced_writes / len(hooks),
            written_bytes=(self._written() - written) / len(hooks),
            longest_ms=max([one["duration"] / 1000 for one in self.client.slowlog_get(10_000)], default=0.0),
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
        until(lambda: not self._unfinished(), PATIENCE_SECONDS, 0.2)
        return self._arrival_times()

    def _arrival_times(self) -> dict[int, float]:
        return {int(lead): at for lead, at in self.receiver.ask("times").items()}

    def _unfinished(self) -> int:
        prefix = f"{{{self.namespace}}}:"
        sinks = [sink.decode() for sink in self.client.hkeys(f"{prefix}sinks")]
        return int(
            self.client.exists(f"{prefix}due:inbox", f"{prefix}leased:inbox", *[f"{prefix}pending:{s}" for s in sinks])
        )

    @contextmanager
    def _paused(self) -> Iterator[None]:
        for worker in self.workers:
            worker.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        yield
        assert time.monotonic() - began < PAUSED_SECONDS, "the workers stood still for too long"
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)

    def _cpu(self) -> dict[str, float]:
        return {
            "web": cpu_seconds_of_tree(self.web.pid),
            "workers": sum(cpu_seconds_of_tree(worker.pid) for worker in self.workers),
            "store": cpu_seconds_of_tree(self.store.pid),
        }

    def _written(self) -> int:
        return int(self.client.info("persistence")["aof_current_size"])
