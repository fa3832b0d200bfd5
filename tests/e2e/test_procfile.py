"""The Procfile's own lines, run as platforms run them: several of each, scaled and restarted while hooks come in."""

import http.client
import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from relay.config.environment import environ
from relay.processes.child import Child
from relay.processes.orphan_guard import OrphanGuard
from relay.processes.ports import free_port, http_get
from relay.processes.supervisor import Processes
from tests.chaos.oracle import unexplained
from tests.chaos.test_nothing_lost import CONFIG
from tests.e2e.harness import (
    HookSender,
    lead_hook,
    pause_request,
    paused_requests,
    release_requests,
    stored_leads,
    until,
)

PROJECT = Path(__file__).parents[2]
PROCFILE = dict(line.split(": ", 1) for line in (PROJECT / "Procfile").read_text().splitlines())
ENDS_SECONDS = 25.0  # platforms kill after 30, some after 10
SENDERS = 4
PAUSE_SECONDS = 0.25  # of a sender between two hooks: some fifteen a second in all
LOAD = 10  # hooks acknowledged between two changes


@pytest.fixture
def neighbours(tmp_path: Path) -> Iterator[Processes]:
    """Run what a platform offers as add-ons: a store, and the fakes that receive."""
    (tmp_path / "relay.yaml").write_text(CONFIG)
    kept = {name: value for name, value in environ().items() if name not in ("REDIS_URL", "PORT")}
    ours = {"RELAY_CONFIG": str(tmp_path / "relay.yaml"), "RELAY_LOG": "json"}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"  # the Procfile says `python`
    with Processes(tmp_path / "relay", {**kept, **ours, "PATH": path}) as processes:
        processes.start("store", "broker", "sandbox")
        yield processes


class Formation:
    """So many processes of each line, each web process on a port of its own, as a platform's router sees them."""

    def __init__(self, folder: Path, given: Mapping[str, str], guard: OrphanGuard) -> None:
        self._folder, self._given, self._guard = folder, given, guard
        self._numbers = itertools.count(1)
        self._running: dict[str, Child] = {}
        self.ports: dict[str, int] = {}

    def scale(self, line: str, number: int) -> None:
        """Start or end processes of a line until there are so many, and wait until all are ready."""
        names = self.names(line)
        self.end(*names[number:])
        self.start(line, number - len(names))

    def start(self, line: str, number: int = 1) -> None:
        """Start so many more of a line, and wait until all are ready."""
        started = [self._spawn(line) for _ in range(number)]
        for name, port in started:
            child = self._running[name]
            ready = partial(is_ready, port) if line == "web" else partial(says, child, "worker.started")
            until(lambda ready=ready, child=child: ready() or child.status is not None, what=f"{name} to be ready")
            assert child.status is None, child.output()
        if line == "web":
            self.ports |= dict(started)

    def _spawn(self, line: str) -> tuple[str, int]:
        name, port = f"{line}.{next(self._numbers)}", free_port()
        command, given = ["sh", "-c", PROCFILE[line]], {**self._given, "PORT": str(port)}
        self._running[name] = Child(name, command, given, self._folder / f"{name}.log", None)
        self._guard.watch(self._running[name].pid)
        return name, port

    def end(self, *names: str) -> None:
        """Take processes from the router, end them as a platform does, and see that they end by themselves."""
        children = [self._take(name) for name in names]
        for child in children:
            child.terminate()
        for child in children:
            assert child.wait(ENDS_SECONDS) in (0, -15), child.output()  # uvicorn ends by the signal it was sent

    def kill(self, name: str) -> None:
        """End a process as a platform does that has lost its patience."""
        self._take(name).kill()

    def _take(self, name: str) -> Child:
        self.ports.pop(name, None)
        child = self._running.pop(name)
        self._guard.forget(child.pid)
        return child

    def names(self, line: str) -> list[str]:
        """Return what runs of a line, the oldest first."""
        return [name for name in self._running if name.startswith(f"{line}.")]

    def end_all(self) -> None:
        self.end(*self._running)


def says(child: Child, what: str) -> bool:
    return what in child.output()


def is_ready(port: int) -> bool:
    answer = http_get(port, "/readyz")
    return answer is not None and answer[0] == 200


class Load:
    """Connections that post one lead after the other, each until it is acknowledged, by whichever web process."""

    def __init__(self, formation: Formation) -> None:
        self._formation = formation
        self._over = threading.Event()
        self._leads = itertools.count(1)
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        self.acknowledged: set[int] = set()

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def go_on(self) -> None:
        """Wait until more hooks were acknowledged."""
        enough = len(self.acknowledged) + LOAD
        until(lambda: len(self.acknowledged) >= enough, what=f"{LOAD} more acknowledged hooks")

    def _send(self) -> None:
        turns = itertools.count()
        while not self._over.wait(PAUSE_SECONDS):
            lead = next(self._leads)
            until(lambda lead=lead: self._post(lead, next(turns)), what="a web process that takes a hook")
            self.acknowledged.add(lead)

    def _post(self, lead: int, turn: int) -> bool:
        ports = list(self._formation.ports.values())
        sender = HookSender(SimpleNamespace(port=ports[turn % len(ports)]))
        try:
            return sender.post(lead_hook(lead))[0] == 202
        except (OSError, http.client.HTTPException):  # it was just ended
            return False
        finally:
            sender.close()


@contextmanager
def formation(processes: Processes, folder: Path) -> Iterator[Formation]:
    guard = OrphanGuard()
    formation = Formation(folder, processes.environ, guard)
    try:
        yield formation
        formation.end_all()
    finally:
        guard.close()


def test_scaled_and_restarted_under_load_nothing_is_lost_and_every_double_explained(
    neighbours: Processes, tmp_path: Path
) -> None:
    with formation(neighbours, tmp_path) as running:
        running.scale("web", 2)
        running.scale("worker", 3)
        with Load(running) as load:
            for number in (1, 4, 3):
                load.go_on()
                running.scale("worker", number)
            for name in [*running.names("web"), *running.names("worker")]:
                load.go_on()
                running.end(name)
                load.go_on()
                running.start(name.partition(".")[0])
            pause_request(neighbours, "before-answer")
            until(lambda: paused_requests(neighbours), what="a call that waits for its answer")
            for name in running.names("worker"):
                running.kill(name)
            release_requests(neighbours)
            load.go_on()
            running.scale("worker", 2)
        arrived = until(
            lambda: (seen := stored_leads(neighbours)).keys() >= load.acknowledged and seen, what="every lead"
        )
    assert arrived.keys() == load.acknowledged
    doubled = {lead for lead, times in arrived.items() if times > 1}
    print(f"{len(arrived)} hooks, {len(doubled)} leads arrived more than once")
    assert doubled, "the call that was cut was not made again"
    assert not unexplained(neighbours, doubled)


def test_the_release_line_ends_and_lets_only_a_fit_configuration_pass(neighbours: Processes) -> None:
    def release(**variables: str) -> subprocess.CompletedProcess[str]:
        given = {**neighbours.environ, **variables}
        return subprocess.run(["sh", "-c", PROCFILE["release"]], env=given, capture_output=True, text=True, timeout=60)

    assert release().returncode == 0
    refused = release(RELAY_CONFIG="config/relay.yaml")
    assert refused.returncode == 1
    assert "set DEMO_HOOK_TOKEN" in refused.stderr


def test_honcho_runs_web_and_worker_and_ends_them_in_order(neighbours: Processes, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "honcho", "--procfile", str(PROJECT / "Procfile"), "start", "web", "worker"]
    child = Child("honcho", command, neighbours.environ, tmp_path / "honcho.log", None)
    guard = OrphanGuard()
    guard.watch(child.pid)
    try:
        until(lambda: is_ready(neighbours.port), what="web to be ready")
        sender = HookSender(neighbours)
        sender.post_until_taken(lead_hook(1))
        sender.close()
        until(lambda: stored_leads(neighbours) == {1: 1}, what="the lead to arrive")
        child.terminate()
        child.wait(ENDS_SECONDS)
    finally:
        guard.close()
    said = child.output()
    assert "worker.stopped" in said
    assert "Finished server process" in said
