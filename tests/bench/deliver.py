"""Deliver: stored receipts to a local keep-alive receiver, everything on; against a bare loop and the usual way."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

from celery import Celery

from relay.embedded.server import EmbeddedStore
from tests.bench.measuring import MEASURED, OTHERS, Series, cpu_seconds, free_port, process, until
from tests.bench.stack import BIN, HERE, commands, environment, fill, run, worker_command

CONCURRENCY = 256  # as in relay.yaml
USUAL_WORKER = [str(BIN / "celery"), "--app", "tests.bench.rivals.usual:celery", "worker"]
CONTENT = '{"lead":"31926521","title":"Поставка кофемашин","amount":"184500.00","city":"Москва"}'


class Receiver:
    """The receiving side, from outside."""

    def __init__(self, stack: ExitStack, logs: Path, answer_after_ms: float = 0, cores: int | str = OTHERS) -> None:
        self.port = free_port()
        command = [sys.executable, str(HERE / "receiver.py"), str(self.port), str(answer_after_ms)]
        self.process = stack.enter_context(process(command, cores, logs / "receiver.log"))
        until(self._answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, what: str):
        with urllib.request.urlopen(f"{self.url}/{what}", timeout=10) as answer:
            return json.load(answer)

    def _answers(self) -> bool:
        try:
            self.ask("count")
        except OSError:
            return False
        return True

    def wait_for(self, count: int) -> None:
        until(lambda: self.ask("count")["count"] >= count, seconds=120)

    def measure(self, pid: int, count: int) -> tuple[int, float, float]:
        """Return deliveries, seconds and CPU seconds of the sender, from the first of so many to the 95th percent."""
        until(lambda: self.ask("count")["count"] > 0, every=0.005)
        cpu, start, began = cpu_seconds(pid), self.ask("count"), time.monotonic()
        assert start["count"] < count / 2, "too few for a measurement"
        self.wait_for(count * 95 // 100)
        used, seen, ended = cpu_seconds(pid) - cpu, self.ask("count"), time.monotonic()
        return seen["count"] - start["count"], ended - began, used


class Rounds:
    """The rounds of all, each with the core for itself: who is not measured is stopped.

    A round begins by forgetting what has come: the one before has been stopped by then.
    """

    def __init__(self, stack: ExitStack, server: EmbeddedStore, count: int, logs: Path) -> None:
        self.server, self.count, self.logs = server, count, logs
        self.receiver = Receiver(stack, logs)
        names = ("relay", "relay_marking", "bare_aiohttp", "bare_transport", "celery_requests")
        self.series = {name: Series() for name in names}
        self.commands_each: dict[str, float] = {}  # of the relay
        broker = server.url.replace("unix://", "redis+socket://")
        self._broker = Celery("usual", broker=broker)
        self._workers = {}
        for name, idempotency in (("relay", "honoured"), ("relay_marking", "none")):
            variables = environment(server, name, BENCH_RECEIVER=self.receiver.url, BENCH_IDEMPOTENCY=idempotency)
            worker = process(worker_command(), MEASURED, logs / f"{name}.log", **variables)
            self._workers[name] = stack.enter_context(worker)
        usual = [*USUAL_WORKER, "--pool", "threads", "--concurrency", "16", "--without-gossip", "--without-mingle"]
        self._usual = stack.enter_context(process(usual, MEASURED, logs / "usual.log", USUAL_BROKER=broker))
        time.sleep(4)  # both have started; the first round warms them up and is not counted
        for worker in (*self._workers.values(), self._usual):
            worker.send_signal(signal.SIGSTOP)

    def relay_round(self, number: int) -> None:
        before = self._relay("relay", number)
        after = run(commands(self.server.url))
        self.commands_each = {name: (n - before.get(name, 0)) / self.count for name, n in after.items()}

    def marking_round(self, number: int) -> None:
        """To a sink that knows no idempotency key: what is about to leave is marked on the disk first."""
        self._relay("relay_marking", number)

    def _relay(self, name: str, number: int) -> dict[str, int]:
        """Return the store's commands before the round."""
        self.receiver.ask("reset")
        run(fill(self.server.url, name, self.count, first=number * self.count + 1))
        before = run(commands(self.server.url))
        with self._at_work(self._workers[name]):
            self._measure(name, number, self._workers[name].pid, self.count)
        return before

    def bare_round(self, number: int) -> None:
        self._bare(number, "bare_aiohttp", self.count)

    def transport_round(self, number: int) -> None:
        self._bare(number, "bare_transport", 5 * self.count)  # else it is over before it is measured

    def _bare(self, number: int, name: str, count: int) -> None:
        self.receiver.ask("reset")
        body = self.logs / "content.json"
        body.write_text(CONTENT)
        asked = [f"{self.receiver.url}/invoices", str(CONCURRENCY), str(count), str(body)]
        command = [sys.executable, str(HERE / "rivals" / f"{name}.py"), *asked]
        with process(command, MEASURED, self.logs / f"{name}.log", PYTHONPATH=os.getcwd()) as bare:
            self._measure(name, number, bare.pid, count)

    def usual_round(self, number: int) -> None:
        self.receiver.ask("reset")
        few = self.count // 10
        for _ in range(few):
            self._broker.send_task("usual.deliver", args=(f"{self.receiver.url}/invoices", CONTENT))
        with self._at_work(self._usual):  # its threads wait for the broker and each other
            self._measure("celery_requests", number, self._usual.pid, few, needs_busy=False)

    def _measure(self, name: str, number: int, pid: int, count: int, *, needs_busy: bool = True) -> None:
        measured = self.receiver.measure(pid, count)
        self.receiver.wait_for(count)
        if number:
            self.series[name].add(number, *measured, needs_busy=needs_busy)

    @contextmanager
    def _at_work(self, worker: "subprocess.Popen[bytes]"):
        worker.send_signal(signal.SIGCONT)
        yield
        time.sleep(0.5)  # it settles its last ones
        worker.send_signal(signal.SIGSTOP)


def bench(server: EmbeddedStore, rounds: int, count: int, logs: Path) -> dict[str, object]:
    with ExitStack() as stack:
        contest = Rounds(stack, server, count, logs)
        parts = [
            *(contest.relay_round, contest.bare_round, contest.usual_round),
            *(contest.marking_round, contest.transport_round),
        ]
        for number in range(rounds + 1):
            for measure in parts:
                measure(number)
            parts.append(parts.pop(0))  # so that none is always the first
    return {"series": contest.series, "store_commands_per_delivery": contest.commands_each}
