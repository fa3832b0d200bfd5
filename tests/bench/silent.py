"""Honest hooks beside silent connections: how long their answers take with 2,000 of them, and without.

Usage as the strangers: `python -m tests.bench.silent PORT COUNT PAUSE`. Each opens a connection and says nothing; the
web process closes it, for silence or because they are too many, and it comes again after the pause.
"""

import asyncio
import contextlib
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop

from relay.embedded.server import EmbeddedStore
from tests.bench.measuring import MEASURED, OTHERS, free_port, process, until
from tests.bench.stack import TOKEN, environment, lead_body, run

STRANGERS = 2_000
PER_SECOND = 100
KEPT = 8  # connections over which every second hook goes; the others open one of their own
PAUSES = {"come again every ten seconds": 10.0, "come again within a second, a flood": 1.0}


def bench(server: EmbeddedStore, rounds: int, seconds: float, logs: Path) -> dict[str, object]:
    """Measure in turn without strangers and with each kind of them; compare round by round, as machines drift."""
    seen: dict[str, list[float]] = {name: [] for name in ("alone", *PAUSES)}
    failed = dict.fromkeys(seen, 0)
    port = free_port()
    with ExitStack() as stack:
        variables = environment(server, "bench-silent", PORT=str(port), RELAY_HOST="127.0.0.1")
        command = ["prlimit", "--nofile=1024", sys.executable, "-m", "relay", "web"]
        stack.enter_context(process(command, MEASURED, logs / "silent.log", **variables))
        until(lambda: _listens(port))
        run(_post(port, seconds))  # warm
        for _ in range(rounds):
            for name in seen:
                with _strangers(port, PAUSES[name]) if name in PAUSES else contextlib.nullcontext():
                    p99, refused = run(_post(port, seconds))
                seen[name].append(p99)
                failed[name] += refused
    times = {
        name: round(statistics.median(p / alone for p, alone in zip(seen[name], seen["alone"], strict=True)), 2)
        for name in PAUSES
    }
    return {
        "strangers": STRANGERS,
        "hooks_per_second": PER_SECOND,
        "p99_ms": {name: round(statistics.median(each), 1) for name, each in seen.items()},
        "times_alone": times,
        "each_round": {name: [round(p99, 1) for p99 in each] for name, each in seen.items()},
        "failed": failed,
    }


def _listens(port: int) -> bool:
    async def connect() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    try:
        run(connect())
    except OSError:
        return False
    return True


@contextmanager
def _strangers(port: int, pause: float) -> Iterator[None]:
    """Let them in, and wait until each has had a connection."""
    command = ["taskset", "-c", str(OTHERS), sys.executable, "-m", "tests.bench.silent"]
    started = subprocess.Popen([*command, str(port), str(STRANGERS), str(pause)], stdout=subprocess.PIPE)
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == b"all have been there\n"
        yield
    finally:
        started.send_signal(signal.SIGKILL)
        started.communicate()


async def _post(port: int, seconds: float) -> tuple[float, int]:
    """Post hooks at an even pace. Returns the 99th percentile of their answers in ms, and how many had none."""
    took: list[float] = []
    failed = 0
    kept: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None] = asyncio.Queue()
    for _ in range(KEPT):
        kept.put_nowait(None)
    lead = time.time_ns() // 1_000_000 % 10**9 * 1000

    async def hook(number: int) -> None:
        nonlocal failed
        began = time.monotonic()
        connection = await kept.get() if number % 2 else None
        try:
            connection = connection or await asyncio.open_connection("127.0.0.1", port)
            assert await asyncio.wait_for(_exchange(*connection, lead + number), 10) == b"202"
            took.append((time.monotonic() - began) * 1000)
        except (OSError, EOFError, TimeoutError, AssertionError):
            failed, connection = failed + 1, None
        if number % 2:
            kept.put_nowait(connection)
        elif connection is not None:
            connection[1].close()

    begin, count = time.monotonic(), round(seconds * PER_SECOND)
    hooks = []
    for number in range(count):
        await asyncio.sleep(max(begin + number / PER_SECOND - time.monotonic(), 0))
        hooks.append(asyncio.create_task(hook(number)))
    await asyncio.gather(*hooks)
    return sorted(took)[int(len(took) * 0.99)], failed


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lead: int) -> bytes:
    body = lead_body(lead)
    head = f"POST /hooks/bench/{TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in answer.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)
    return answer[9:12]


async def _come(port: int, count: int, pause: float) -> None:
    async def stranger(been: asyncio.Event) -> None:
        while True:
            began = time.monotonic()
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                been.set()
                with contextlib.suppress(OSError):
                    await reader.read(1)  # until it is closed
                writer.close()
            # Those of ten seconds keep to their own time, the others come when they were thrown out.
            await asyncio.sleep(max(pause - (time.monotonic() - began), 0) if pause > 1 else pause * random.random())

    strangers, been = [], [asyncio.Event() for _ in range(count)]
    for one in been:
        strangers.append(asyncio.create_task(stranger(one)))
        await asyncio.sleep(min(pause, 5) / count)
    for one in been:
        await one.wait()
    print("all have been there", flush=True)
    await asyncio.gather(*strangers)


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    random.seed(os.getpid())
    uvloop.run(_come(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
