"""Start processes on cores of their own, and read what they used."""

import os
import socket
import statistics
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MEASURED, OTHERS = (
    0,
    1,
)  # cores: what is measured has one for itself; the store, the load and the receiver share the other
BUSY = 0.9  # a round counts only if what is measured used so much of its core


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def process(command: list[str], core: int, log: Path, **environment: str):
    with log.open("ab") as out:
        started = subprocess.Popen(
            ["taskset", "-c", str(core), *command], stdout=out, stderr=out, env={**os.environ, **environment}
        )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(25)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


def until(condition, seconds: float = 60.0, every: float = 0.02):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError("the bench waited in vain")
        time.sleep(every)
    return value


@dataclass
class Series:
    """The rounds of one contender. Those in which it was not busy are told: then something else was the limit."""

    rate: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    idle_rounds: int = 0

    def add(self, n: int, seconds: float, cpu: float, *, needs_busy: bool = True) -> None:
        self.rate.append(n / seconds)
        self.cpu_us.append(cpu / n * 1e6)
        self.busy.append(cpu / seconds)
        self.idle_rounds += needs_busy and cpu / seconds < BUSY

    def row(self) -> dict[str, object]:
        def middle(values):
            return round(statistics.median(values), 2) if values else None

        return {
            "rounds": len(self.rate),
            "idle_rounds": self.idle_rounds,
            "per_second": middle(self.rate),
            "cpu_us_each": middle(self.cpu_us),
            "busy": middle(self.busy),
        }


def ratio(ours: Series, theirs: Series) -> dict[str, float | None]:
    """Compare round by round, so that a machine that drifts does not matter."""
    if not ours.rate or not theirs.rate:
        return {"rate": None, "cpu": None}
    pairs = list(zip(ours.rate, theirs.rate, strict=False))
    cpus = list(zip(ours.cpu_us, theirs.cpu_us, strict=False))
    return {
        "rate": round(statistics.median(a / b for a, b in pairs), 3),
        "cpu": round(statistics.median(a / b for a, b in cpus), 3),
    }
