"""How many hooks are taken and made deliveries of where each answer of the store comes later.

All of it passes a proxy, also where it adds nothing: so only the time differs. Rates are compared in turns, as the
machine may do other work meanwhile.
"""

import signal
import socket
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Final

import redis

from tests.bench.deliver import Receiver
from tests.bench.growth.files import as_yaml, configuration, token
from tests.bench.growth.measured_relay import PATIENCE_SECONDS
from tests.bench.ingest import load
from tests.bench.measuring import BOTH, cpu_seconds, free_port, process, until
from tests.bench.stack import environment, fill, relay_store, run, web_command, worker_command

ROUNDS: Final = 3
SECONDS: Final = 3.0
DELIVERIES: Final = 4000
CONNECTIONS: Final = 512
CONCURRENCY: Final = 256
TAKEN, MADE = "taken", "made"  # namespaces: what is taken for the measurement is not delivered


class DistantRelay:
    """A web process and a worker, whose store is some milliseconds away there and back."""

    def __init__(self, stack: ExitStack, folder: Path, milliseconds: float) -> None:
        folder.mkdir()
        self.store = stack.enter_context(relay_store(folder / "store", BOTH))
        self.receiver = Receiver(stack, folder, cores=BOTH)
        config = configuration(self.receiver.url, concurrency=CONCURRENCY)
        (folder / "relay.yaml").write_text(as_yaml(config))
        near = free_port()
        proxy = [sys.executable, "-m", "tests.delaying_proxy", str(near), str(self.store.socket), str(milliseconds / 2)]
        variables = {"REDIS_URL": f"redis://127.0.0.1:{near}", "RELAY_CONFIG": str(folder / "relay.yaml")}
        self.proxy = stack.enter_context(process(proxy, BOTH, folder / "proxy.log", **environment(self.store, TAKEN)))
        until(lambda: "ready" in (folder / "proxy.log").read_text())
        self.port = free_port()
        web, worker = web_command(self.port, "relay.web.app:create", "--factory"), worker_command()
        of_web, of_worker = (environment(self.store, name, **variables) for name in (TAKEN, MADE))
        self.web = stack.enter_context(process(web, BOTH, folder / "web.log", **of_web))
        self.worker = stack.enter_context(process(worker, BOTH, folder / "worker.log", **of_worker))
        self._filled = 0

    def is_ready(self) -> bool:
        """Whether web listens, and the worker has looked at the store."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        with redis.Redis.from_url(self.store.url) as client:
            return bool(client.exists(f"{{{MADE}}}:workers"))

    def measure_taking(self) -> dict[str, float]:
        with self._alone():
            cpu = cpu_seconds(self.web.pid)
            seen = load(f"http://127.0.0.1:{self.port}/hooks/s0/{token(0)}", SECONDS, connections=CONNECTIONS)
            cpu = cpu_seconds(self.web.pid) - cpu
        taken = max(seen["answers"] - seen["failed"], 1)
        return {"taken_a_second": taken / seen["seconds"], "web_cpu_us": cpu / taken * 1e6}

    def measure_making(self) -> dict[str, float]:
        self.receiver.ask("reset")
        run(fill(self.store.url, MADE, DELIVERIES, first=self._filled + 1, source="s0"))
        self._filled += DELIVERIES
        with self._alone():
            made, seconds, cpu = self.receiver.measure(self.worker.pid, DELIVERIES)
            self.receiver.wait_for(DELIVERIES)
            time.sleep(0.5)  # it settles its last ones
        return {"made_a_second": made / seconds, "worker_cpu_us": cpu / made * 1e6}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        for one in self._processes():
            one.send_signal(signal.SIGCONT)
        yield
        self.stand_still()

    def stand_still(self) -> None:
        for one in self._processes():
            one.send_signal(signal.SIGSTOP)

    def _processes(self) -> "list[Popen[bytes]]":
        return [self.web, self.worker, self.proxy]


def measure_round_trips(logs: Path, counts: Sequence[float]) -> list[dict[str, float]]:
    """Return rates and CPU for each time that an answer takes, and the rates beside those of the first."""
    seen: list[list[dict[str, float]]] = [[] for _ in counts]
    with ExitStack() as stack:
        relays = [DistantRelay(stack, logs / f"{count:g}", count) for count in counts]
        for relay in relays:
            until(relay.is_ready, PATIENCE_SECONDS, 0.1)
        for relay in relays:
            relay.stand_still()
        for number in range(ROUNDS + 1):  # the first one warms up
            for at, relay in enumerate(relays):
                found = {**relay.measure_taking(), **relay.measure_making()}
                if number:
                    seen[at].append(found)
    return [_compared(rounds, seen[0]) for rounds in seen]


def _compared(rounds: Sequence[Mapping[str, float]], first: Sequence[Mapping[str, float]]) -> dict[str, float]:
    found = {name: round(statistics.median(one[name] for one in rounds), 1) for name in rounds[0]}
    for name in ("taken", "made"):
        rate = f"{name}_a_second"
        ratios = [one[rate] / other[rate] for one, other in zip(rounds, first, strict=True)]
        found[f"{name}_to_loopback"] = round(statistics.median(ratios), 3)
    return found
