"""Who is measured end to end: from a hook's POST to what arrives. Each has a store and a folder of its own."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

from relay.embedded.broker import make_broker
from relay.embedded.server import EmbeddedStore
from tests.bench.measuring import BOTH, cpu_seconds_of_tree, free_port, process, until
from tests.bench.stack import BIN, HERE, environment, running, store, web_command, worker_command

BULLMQ, BULLMQ_INSTALLED = HERE / "rivals" / "bullmq", "bullmq"
USUAL_THREADS = 16


class Contender:
    """Its processes run from its making until the stack ends; then no other process of it is left."""

    def __init__(self, name: str, folder: Path, receiver_url: str, stack: ExitStack, start: "Start") -> None:
        self.name, self.port = name, free_port()
        self.folder, self._receiver, self._stack = folder, receiver_url, stack
        folder.mkdir()
        self.servers: dict[str, EmbeddedStore] = {"store": stack.enter_context(store(folder / "store", BOTH))}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        start(self, self.servers["store"])
        until(self._listens)

    def run_broker(self, server: EmbeddedStore) -> None:
        """Start the broker beside its store."""
        self.servers["broker"] = self._stack.enter_context(running(make_broker(server.folder), BOTH))

    def run(self, part: str, command: list[str], **variables: str) -> None:
        """Start one of its processes."""
        given = {"BENCH_RECEIVER": self._receiver, "PYTHONPATH": os.getcwd(), **variables}
        started = process(command, BOTH, self.folder / f"{part}.log", **given)
        self._processes[part] = self._stack.enter_context(started)

    def cpu(self) -> Mapping[str, float]:
        """Return the CPU seconds of each of its processes, with those below it."""
        for part, one in self._processes.items():
            assert one.poll() is None, f"{part} of {self.name} has ended: see {self.folder}"
        pids = {part: one.pid for part, one in [*self._processes.items(), *self.servers.items()]}
        return {part: cpu_seconds_of_tree(pid) for part, pid in pids.items()}

    def signal(self, part: str, number: int) -> None:
        """Send a signal to one of its processes."""
        self._processes[part].send_signal(number)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


Start: TypeAlias = Callable[[Contender, EmbeddedStore], None]


def start_relay(
    contender: Contender, server: EmbeddedStore, web: str = "relay.web.app:create", worker: str = "workers.app"
) -> None:
    """Start the relay's processes, of these applications."""
    variables = environment(server, "bench-rates", RELAY_CONFIG=str(HERE / "rates.yaml"))
    contender.run_broker(server)
    contender.run("web", web_command(contender.port, web, "--factory"), **variables)
    contender.run("worker", worker_command(worker), **variables)


def _usual(contender: Contender, server: EmbeddedStore) -> None:
    broker = {"USUAL_BROKER": server.url.replace("unix://", "redis+socket://")}
    contender.run("web", web_command(contender.port, "tests.bench.rivals.usual:app"), **broker)
    worker = [str(BIN / "celery"), "--app", "tests.bench.rivals.usual:celery", "worker", "--pool", "threads"]
    options = ["--concurrency", str(USUAL_THREADS), "--without-gossip", "--without-mingle"]
    contender.run("worker", [*worker, *options], **broker)


def _least(contender: Contender, server: EmbeddedStore) -> None:
    contender.run("web", web_command(contender.port, "tests.bench.rivals.least_web:app"), REDIS_URL=server.url)
    contender.run("worker", [str(BIN / "python"), str(HERE / "rivals" / "least_worker.py")], REDIS_URL=server.url)


def _bullmq(contender: Contender, server: EmbeddedStore) -> None:
    node = shutil.which("node")
    assert node
    variables = {"STORE_SOCKET": str(server.socket), "PORT": str(contender.port), "NODE_ENV": "production"}
    folder = contender.folder.parent / BULLMQ_INSTALLED
    contender.run("web", [node, str(folder / "web.js")], **variables)
    contender.run("worker", [node, str(folder / "worker.js")], **variables)


RELAY, USUAL, LEAST, FASTIFY_BULLMQ = "relay", "fastapi_celery", "least", "fastify_bullmq"
START: Mapping[str, Start] = {
    RELAY: start_relay,
    LEAST: _least,
    FASTIFY_BULLMQ: _bullmq,
    USUAL: _usual,
}


def install_bullmq(logs: Path) -> str:
    """Install what the rival on Node needs, beside it. Returns why there is none of it, "" where there is."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        return "Node is not installed"
    folder = shutil.copytree(BULLMQ, logs / BULLMQ_INSTALLED)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return f"npm ci failed: {(done.stderr or done.stdout).strip()[-200:]}" if done.returncode else ""
