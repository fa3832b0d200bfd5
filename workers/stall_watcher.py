"""Watch a worker from a process beside it, and end it where a part of it no longer turns.

What never returns may hold the interpreter's lock, so nothing within the worker could notice. The watcher is run by
this file's path with the standard library alone: it costs little, and starts within milliseconds. The worker writes
lines to a pipe: "+name" where a part turned, "=name" where it is still at work, "-name" where it has nothing to do.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

SHOW_SIGNAL: Final = signal.SIGUSR2
"""The worker answers it by its stack, without the interpreter's lock."""
END_SIGNAL: Final = signal.SIGVTALRM
"""The worker ends by it. The first process of a container ignores SIGKILL, where that comes from within."""
LOOP: Final = "loop"
_TURNED, _IDLE = b"+-"

_MARGIN_SECONDS: Final = 3.0  # what stands still for so little less than another may be what holds that other up
_REPORT_SECONDS: Final = 10.0
_STACK_SECONDS: Final = 1.0
_STACK_BYTES: Final = 8_000
_READ_BYTES: Final = 1 << 16
_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # a worker is watched while it stops, too


class Stalls:
    """For how long each part of a worker has not turned. Pure: the time is told."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._seconds: dict[str, float] = {}
        self._unread = b""

    def receive(self, data: bytes) -> None:
        """Take in what the worker wrote."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            name = line[1:].decode()
            if line[0] == _IDLE:
                self._seconds.pop(name, None)
            elif line[0] == _TURNED:
                self._seconds[name] = 0.0
            else:
                self._seconds.setdefault(name, 0.0)

    def wait(self, seconds: float) -> None:
        """Let time pass in which the worker could have turned."""
        for name in self._seconds:
            self._seconds[name] += seconds

    @property
    def longest(self) -> float:
        """Return for how many seconds the stillest part has not turned."""
        return max(self._seconds.values(), default=0.0)

    def stalled(self) -> list[str]:
        """Return the parts that stand still, where one has done so for the limit; the loop last: others hold it up."""
        if self.longest < self._limit:
            return []
        least = self._limit - min(_MARGIN_SECONDS, self._limit / 2)
        still = [name for name, seconds in self._seconds.items() if seconds >= least]
        return sorted(still, key=lambda name: name == LOOP)


def is_stopped(pid: int) -> bool:
    """Return whether a whole process is stopped, by a signal or a debugger."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state = file.read().rpartition(b") ")[2][:1]
    except FileNotFoundError:  # it has ended, or this system has no such files
        asked = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], stdout=subprocess.PIPE, check=False)
        state = asked.stdout.strip()[:1]
    return state in (b"T", b"t")


def watch(pid: int, worker: str, limit: float, stacks: int) -> None:
    """Listen until the worker ends, or end it. `stacks`: the pipe to which it writes its stack when it is asked."""
    stalls, poll = Stalls(limit), min(0.5, limit / 10)
    last = time.monotonic()
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], poll)
        data = os.read(sys.stdin.fileno(), _READ_BYTES) if readable else b""
        if readable and not data:
            return
        now = time.monotonic()
        # Where we were not run either, the machine slept.
        passed, last = min(now - last, 2 * poll), now
        if stalls.longest < limit / 4 or not is_stopped(pid):
            stalls.wait(passed)
        stalls.receive(data)
        if names := stalls.stalled():
            _report(worker, names, stalls.longest, _stack(pid, stacks))
            _end(pid)
            return


def _stack(pid: int, pipe: int) -> bytes:
    """Return where the worker's threads are, as far as it can still say so."""
    found, deadline = b"", time.monotonic() + _STACK_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, SHOW_SIGNAL)
        while len(found) < _STACK_BYTES and select.select([pipe], [], [], max(deadline - time.monotonic(), 0))[0]:
            found += os.read(pipe, _STACK_BYTES)
            deadline = min(deadline, time.monotonic() + _STACK_SECONDS / 5)  # it writes all of it at once
    return found[:_STACK_BYTES]


def _report(worker: str, names: Sequence[str], seconds: float, stack: bytes) -> None:
    """Log it and write it into the store: by a process of its own, for neither can be done with so little."""
    command = [sys.executable, "-m", "workers.stall_report", worker, " and ".join(names), str(round(seconds, 1))]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # the worker is ended all the same
        subprocess.run(command, input=stack, timeout=_REPORT_SECONDS, check=False)


def _end(pid: int) -> None:
    for how in (signal.SIGKILL, END_SIGNAL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)


def main() -> None:
    """Watch the worker that the arguments name."""
    for one in _IGNORED:
        signal.signal(one, signal.SIG_IGN)
    pid, worker, limit, stacks = sys.argv[1:]
    watch(int(pid), worker, float(limit), int(stacks))


if __name__ == "__main__":
    main()
