"""Ingest: one web process and a 1.9 KB lead hook; against a bare endpoint and the usual way."""

import os
import re
import signal
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

from relay.embedded.server import EmbeddedStore
from tests.bench.measuring import MEASURED, OTHERS, Series, cpu_seconds, free_port, process, until
from tests.bench.stack import BODY, HERE, TOKEN, commands, environment, run, web_command

CONNECTIONS = 512  # enough that the process always has something to do while the store writes
FEW_CONNECTIONS = 64  # so few that it has only where it does not wait for the store
WRK_LIMIT = 0.9  # of its core: beyond it the load would be the limit


class Server:
    """One of the contenders: up, and stopped unless it is at work."""

    def __init__(self, stack: ExitStack, name: str, application: str, options: list[str], logs: Path, **variables: str):
        self.name = name
        self.port = free_port()
        command = web_command(self.port, application, *options)
        self.process = stack.enter_context(process(command, MEASURED, logs / f"{name}.log", **variables))
        until(self._answers)
        self.process.send_signal(signal.SIGSTOP)

    @contextmanager
    def at_work(self):
        """Let it run: whoever is not measured is stopped, so that the core is for one."""
        self.process.send_signal(signal.SIGCONT)
        yield
        self.process.send_signal(signal.SIGSTOP)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/bench/{TOKEN}"

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=2)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


def load(url: str, seconds: float, think_ms: float = 0, connections: int = CONNECTIONS) -> dict[str, float]:
    """Run wrk; return answers, seconds, how many were refused or timed out, p99 in ms and the share of its core used.

    Between an answer and the next request each connection waits, so long on average.
    """
    command = ["taskset", "-c", str(OTHERS), "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency"]
    think = {"BENCH_THINK_MS": str(think_ms)} if think_ms else {}
    began, used = time.monotonic(), os.times()
    out = subprocess.run(
        [*command, "-s", str(HERE / "hook.lua"), url],
        env={**os.environ, "BENCH_BODY": str(BODY), **think},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    spent, after = time.monotonic() - began, os.times()
    trouble = " ".join(re.findall(r"(?:Non-2xx or 3xx responses|Socket errors): (.*)", out))
    answers, took = re.search(r"(\d+) requests in ([\d.]+)s", out).groups()
    p99, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    cpu = after.children_user + after.children_system - used.children_user - used.children_system
    return {
        "answers": int(answers),
        "seconds": float(took),
        "failed": sum(map(int, re.findall(r"\d+", trouble))),
        "p99_ms": float(p99) * {"us": 0.001, "ms": 1, "s": 1000}[unit],
        "wrk_busy": cpu / spent,
    }


def bench(server: EmbeddedStore, rounds: int, seconds: float, logs: Path) -> dict[str, object]:
    series = {name: Series() for name in ("relay", "bare_starlette", "bare_asgi", "fastapi_celery")}
    commands_each: dict[str, float] = {}
    p99: list[float] = []
    few: list[dict[str, float]] = []
    failed = dict.fromkeys(series, 0)
    with ExitStack() as stack:
        relay = environment(server, "bench-ingest")
        broker = server.url.replace("unix://", "redis+socket://")
        contenders = [
            Server(stack, "relay", "relay.web.app:create", ["--factory"], logs, **relay),
            Server(stack, "bare_starlette", "tests.bench.rivals.bare_ingest:app", [], logs),
            Server(stack, "bare_asgi", "tests.bench.rivals.bare_asgi:app", [], logs),
            Server(stack, "fastapi_celery", "tests.bench.rivals.usual:app", [], logs, USUAL_BROKER=broker),
        ]
        order = list(contenders)
        for number in range(rounds + 1):  # the first one warms up
            for contender in order:
                before, cpu = run(commands(server.url)), cpu_seconds(contender.process.pid)
                with contender.at_work():
                    seen = load(contender.url, seconds if number else 1)
                used = cpu_seconds(contender.process.pid) - cpu
                if number:
                    # Not a rate but a defect: amoCRM waits two seconds, and so does wrk.
                    assert contender.name != "relay" or not seen["failed"], f"{seen['failed']} hooks not taken"
                    failed[contender.name] += seen["failed"]
                    measured = seen["answers"], seen["seconds"], used
                    series[contender.name].add(number, *measured, limited=seen["wrk_busy"] >= WRK_LIMIT)
                if number and contender.name == "relay":
                    p99.append(seen["p99_ms"])
                    after = run(commands(server.url))
                    commands_each = {n: (c - before.get(n, 0)) / seen["answers"] for n, c in after.items()}
            order.append(order.pop(0))  # so that none is always the first
            if number:
                few.append(_few_senders(contenders[0], seconds))
        with contenders[0].at_work():
            half = _half_load(contenders[0], float(str(series["relay"].row()["per_second"])), seconds)
    latency = {"p99_ms_full_load": round(statistics.median(p99), 1), "half_load": half}
    return {
        "series": series,
        "failed": failed,
        "store_commands_per_hook": commands_each,
        "latency": latency,
        "few_senders": {name: round(statistics.median(one[name] for one in few), 2) for name in few[0]},
    }


def _few_senders(contender: Server, seconds: float) -> dict[str, float]:
    """Measure how much of its core the process uses where few senders wait for its answers."""
    cpu = cpu_seconds(contender.process.pid)
    with contender.at_work():
        seen = load(contender.url, seconds, connections=FEW_CONNECTIONS)
    used, rate = cpu_seconds(contender.process.pid) - cpu, seen["answers"] / seen["seconds"]
    busy, each = used / seen["seconds"], used / seen["answers"] * 1e6
    return {"senders": FEW_CONNECTIONS, "per_second": rate, "busy": busy, "cpu_us_each": each, "p99_ms": seen["p99_ms"]}


def _half_load(contender: Server, full: float, seconds: float) -> dict[str, float]:
    """Measure the latency at half of what it can take, of as many senders that each wait between their hooks."""
    think_ms = CONNECTIONS / (full / 2) * 1000
    seen = load(contender.url, seconds, think_ms)
    rate = seen["answers"] / seen["seconds"]
    return {
        "senders": CONNECTIONS,
        "think_ms": round(think_ms, 1),
        "per_second": round(rate),
        "share": round(rate / full, 2),
        "p99_ms": round(seen["p99_ms"], 1),
    }
