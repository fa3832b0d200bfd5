"""Deliver: stored receipts to a local keep-alive receiver, everything on; against a bare loop and the usual way."""

import json
import signal
import sys
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from celery import Celery

from relay.sandbox.server import EmbeddedStore
from tests.bench.measuring import MEASURED, OTHERS, Series, cpu_seconds, free_port, process, until
from tests.bench.stack import BIN, HERE, commands, environment, fill, run, worker_command

CONCURRENCY = 256  # as in relay.yaml
CONTENT = {"lead": "31926521", "title": "Поставка кофемашин", "amount": "184500.00", "city": "Москва"}


class Receiver:
    """The receiving side, from outside."""

    def __init__(self, stack: ExitStack, logs: Path) -> None:
        self.port = free_port()
        command = [sys.executable, str(HERE / "receiver.py"), str(self.port)]
        self.process = stack.enter_context(process(command, OTHERS, logs / "receiver.log"))
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
        """Give deliveries, seconds and CPU seconds of the sender, from the first of so many to the 95th percent."""
        until(lambda: self.ask("count")["count"] > 0, every=0.005)
        cpu, start, began = cpu_seconds(pid), self.ask("count"), time.monotonic()
        self.wait_for(count * 95 // 100)
        used, seen, ended = cpu_seconds(pid) - cpu, self.ask("count"), time.monotonic()
        return seen["count"] - start["count"], ended - began, used


def bench(server: EmbeddedStore, rounds: int, count: int, logs: Path) -> dict[str, object]:
    series = {"relay": Series(), "bare_aiohttp": Series(), "celery_requests": Series()}
    commands_each: dict[str, float] = {}
    with ExitStack() as stack:
        receiver = Receiver(stack, logs)
        relay = environment(server, "bench-deliver", BENCH_RECEIVER=receiver.url)
        broker = server.url.replace("unix://", "redis+socket://")
        usual = Celery("usual", broker=broker)
        body = logs / "content.json"
        body.write_text(json.dumps(CONTENT, ensure_ascii=False))
        worker = stack.enter_context(process(worker_command(), MEASURED, logs / "worker.log", **relay))
        usual_worker = stack.enter_context(
            process(
                [
                    *(str(BIN / "celery"), "--app", "tests.bench.rivals.usual_deliver:celery", "worker"),
                    *("--pool", "threads", "--concurrency", "16", "--without-gossip", "--without-mingle"),
                ],
                MEASURED,
                logs / "usual_worker.log",
                USUAL_BROKER=broker,
            )
        )
        time.sleep(4)  # both have started; the first round warms them up and is not counted
        for number in range(rounds + 1):
            receiver.ask("reset")
            worker.send_signal(signal.SIGSTOP)
            run(fill(server.url, "bench-deliver", count, first=number * count + 1))
            before = run(commands(server.url))
            worker.send_signal(signal.SIGCONT)
            measured = receiver.measure(worker.pid, count)
            receiver.wait_for(count)
            after = run(commands(server.url))
            if number:
                series["relay"].add(number, *measured)
                commands_each = {name: (n - before.get(name, 0)) / count for name, n in after.items()}

            receiver.ask("reset")
            command = [
                sys.executable,
                str(HERE / "rivals" / "bare_deliver.py"),
                receiver.url,
                str(CONCURRENCY),
                str(count),
                str(body),
            ]
            with process(command, MEASURED, logs / "bare.log") as bare:
                measured = receiver.measure(bare.pid, count)
                if number:
                    series["bare_aiohttp"].add(number, *measured)

            receiver.ask("reset")
            few = count // 10
            usual_worker.send_signal(signal.SIGSTOP)
            for _ in range(few):
                usual.send_task("usual.deliver", args=(receiver.url, body.read_text()))
            usual_worker.send_signal(signal.SIGCONT)
            measured = receiver.measure(usual_worker.pid, few)
            receiver.wait_for(few)
            if number:  # its threads wait for the broker and each other
                series["celery_requests"].add(number, *measured, needs_busy=False)
    return {"series": series, "store_commands_per_delivery": commands_each}
