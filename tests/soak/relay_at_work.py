"""The relay of a soak: store, web and a worker that asks the soak's name server; hooks at an even pace."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from relay.config.environment import environ
from relay.processes.child import Child
from relay.processes.supervisor import GRACE_SECONDS, Processes
from tests.e2e.harness import TOKEN, HookSender, lead_hook, until

SOURCES = 10
PER_SECOND = 20  # of the healthy sink, by its own limiter: so the ratio says what the neighbours cost


def config(healthy: int) -> str:
    """Write the configuration. `healthy`: the port of the healthy sink's receiver."""
    sources = "".join(f"  source{n}: {{type: amocrm, token: {TOKEN}}}\n" for n in range(SOURCES))
    return f"""
sources:
{sources}
sinks:
  healthy: {{type: http, idempotency: honoured, url: "http://127.0.0.1:{healthy}", rate: {PER_SECOND}/s}}
subscribers: {{allow: [127.0.0.1/32]}}
retention: {{finished: 1m}}
routes:
  - {{name: to the healthy, on: add_lead, to: healthy, body: {{lead: "{{{{ lead.id }}}}"}}}}
"""


class Work:
    """What runs, and what was acknowledged: healthy leads, and hooks to the subscribers of each source."""

    def __init__(self, processes: Processes, worker: Child) -> None:
        self.processes = processes
        self.worker = worker
        self.healthy: set[int] = set()
        self.fanned_out = [0] * SOURCES
        self.answers_ms: list[float] = []
        self._next_lead = 1

    def send(self, stop: Event, to_subscribers_every: float | None) -> None:
        """Send hooks until it is told to stop, as many a second as the healthy sink takes. Runs in a thread."""
        senders = [HookSender(self.processes, f"source{n}") for n in range(SOURCES)]
        began, sent, told = time.monotonic(), 0, 0
        while not stop.is_set():
            now = time.monotonic() - began
            if to_subscribers_every is not None and now > told * to_subscribers_every:
                source, told = told % SOURCES, told + 1
                self._post(senders[source], "update")
                self.fanned_out[source] += 1
            elif now > sent / PER_SECOND:
                self.healthy.add(self._post(senders[sent % SOURCES], "add"))
                sent += 1
            else:
                stop.wait(0.005)
        for sender in senders:
            sender.close()

    def _post(self, sender: HookSender, event: str) -> int:
        lead, self._next_lead = self._next_lead, self._next_lead + 1
        began = time.monotonic()
        sender.post_until_taken(lead_hook(lead, event))
        self.answers_ms.append((time.monotonic() - began) * 1000)
        return lead


@contextmanager
def at_work(folder: Path, healthy: int, name_server: str) -> Iterator[Work]:
    """Run it in a folder."""
    path = folder / "relay.yaml"
    path.write_text(config(healthy))
    ours = {"RELAY_CONFIG": str(path), "RELAY_LOG": "json", "PYTHONPATH": str(Path.cwd())}
    inherited = {name: value for name, value in environ().items() if name not in ("REDIS_URL", "PORT")}
    with Processes(folder / "relay", {**inherited, **ours}) as processes:
        processes.start("store", "web")
        command = [sys.executable, "-m", "tests.soak.worker"]
        variables = {**processes.environ, "SOAK_NAME_SERVER": name_server}
        worker = Child("worker", command, variables, folder / "worker.log", None)
        try:
            until(lambda: "worker.started" in worker.output(), what="the worker to start")
            yield Work(processes, worker)
        finally:
            worker.terminate()
            worker.wait(GRACE_SECONDS)
