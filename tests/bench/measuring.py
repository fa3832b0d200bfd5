"""Start processes on cores of their own, and read what they used."""

import os
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

MEASURED, OTHERS = 0, 1  # cores: one for what is measured; the store, the load and the receiver share the other
BOTH = "0,1"  # cores of all, where processes are measured together
_SCHEDULED = 2  # the kind of clock that clock_getcpuclockid(3) makes of a process's id
BUSY = 0.9  # a round counts only if what is measured used so much of its core


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def process(command: list[str], cores: int | str, log: Path, **environment: str):
    with log.open("ab") as out:
        started = subprocess.Popen(
            ["taskset", "-c", str(cores), *command], stdout=out, stderr=out, env={**os.environ, **environment}
        )
    try:
        yield started
    finally:
        started.send_signal(signal.SIGCONT)  # a stopped process does not receive SIGTERM
        started.terminate()
        try:
            started.wait(25)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def cpu_seconds(pid: int) -> float:
    """Return what a process has used by now, to the microsecond: /proc tells hundredths of a second."""
    return time.clock_gettime((~pid << 3) | _SCHEDULED)


def cpu_seconds_of_tree(pid: int) -> float:
    """Return what a process and those below it have used by now; without what has ended."""
    return cpu_seconds(pid) + sum(cpu_seconds_of_tree(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def memory_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


def until(condition, seconds: float = 60.0, every: float = 0.02):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError("the bench waited too long")
        time.sleep(every)
    return value


class Round(NamedTuple):
    """What one contender did in one round. It counts where the contender was the limit, and not the load."""

    rate: float
    cpu_us: float
    busy: float
    counts: bool


class Series:
    """The rounds of one contender, by number. Where none of them counts, all are used, and `counted` is 0."""

    def __init__(self) -> None:
        self.rounds: dict[int, Round] = {}

    def add(
        self, number: int, n: int, seconds: float, cpu: float, *, needs_busy: bool = True, limited: bool = False
    ) -> None:
        """Note a round: so many done, in which time, with how much CPU, and whether the load was the limit."""
        busy = cpu / seconds
        counts = (busy >= BUSY or not needs_busy) and not limited
        self.rounds[number] = Round(rate=n / seconds, cpu_us=cpu / n * 1e6, busy=busy, counts=counts)

    @property
    def chosen(self) -> dict[int, Round]:
        return {n: one for n, one in self.rounds.items() if one.counts} or self.rounds

    def row(self) -> dict[str, object]:
        def middle(of: Callable[[Round], float]) -> float | None:
            return round(statistics.median(map(of, self.chosen.values())), 2) if self.rounds else None

        return {
            "rounds": len(self.rounds),
            "counted": sum(one.counts for one in self.rounds.values()),
            "per_second": middle(lambda one: one.rate),
            "cpu_us_each": middle(lambda one: one.cpu_us),
            "busy": middle(lambda one: one.busy),
            "each_round": {n: _rounded(one) for n, one in self.rounds.items()},
        }


def _rounded(one: Round) -> dict[str, float | bool]:
    rate, cpu, busy = round(one.rate), round(one.cpu_us, 1), round(one.busy, 3)
    return {"per_second": rate, "cpu_us_each": cpu, "busy": busy, "counts": one.counts}


def ratio(ours: Series, theirs: Series) -> dict[str, float | int | None]:
    """Compare round by round, as machines drift: by the rounds that count for both, or by all where there is none.

    The comparison by all rounds stands beside it, so that leaving rounds out cannot flatter anybody unseen.
    """
    rounds = [(one, theirs.rounds[n]) for n, one in ours.rounds.items() if n in theirs.rounds]
    counted = [both for both in rounds if all(one.counts for one in both)]
    rate, cpu = _medians(counted or rounds)
    all_rate, all_cpu = _medians(rounds)
    return {"rate": rate, "cpu": cpu, "counted": len(counted), "rate_of_all": all_rate, "cpu_of_all": all_cpu}


def _medians(pairs: list[tuple[Round, Round]]) -> tuple[float | None, float | None]:
    if not pairs:
        return None, None
    rate = statistics.median(a.rate / b.rate for a, b in pairs)
    cpu = statistics.median(a.cpu_us / b.cpu_us for a, b in pairs)
    return round(rate, 3), round(cpu, 3)
