"""Let a worker be watched: its loop and its planner tell that they turn, and a process beside it ends it if not."""

import asyncio
import contextlib
import ctypes
import faulthandler
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from relay.logs import log
from workers import stall_watcher
from workers.stall_watcher import END_SIGNAL, LOOP, SHOW_SIGNAL

LIMIT_SECONDS: float = 20.0
"""For how long a part may be at one thing: less than the lease of what it holds, so that a death counts for that."""

_BEAT_SECONDS: Final = 1.0
_END_SECONDS: Final = 1.0


class Watchdog:
    """The worker's side. Nothing is watched until `run`; the parts may tell of themselves from any thread."""

    def __init__(self, worker: str, limit_seconds: float) -> None:
        self._worker = worker
        self._limit = limit_seconds
        self._at_work: dict[str, bool] = {}
        self._named: set[str] = set()  # what may be at work on the loop since its last beat
        self._watcher: subprocess.Popen[bytes] | None = None

    @contextmanager
    def watched(self, part: str) -> Iterator[None]:
        """Watch a part while it is at work. It tells each further turn by `turned`."""
        self.turned(part)
        try:
            yield
        finally:
            self._at_work[part] = False
            self._send(f"-{part}\n")

    @contextmanager
    def watched_on_loop(self, part: str) -> Iterator[None]:
        """Watch a part that is at work on the loop itself, for a moment: the watcher is told once a beat at most."""
        if part not in self._named:
            self._named.add(part)
            self._at_work.setdefault(part, False)
            self._send(f"={part}\n")
        yield

    def turned(self, part: str) -> None:
        """Tell that a part is at work, and has come on."""
        self._at_work[part] = True
        self._send(f"+{part}\n")

    async def run(self) -> None:
        """Have the running loop and the other parts watched until it is cancelled."""
        reading, writing = _answer_signals()
        try:
            self._watcher = self._start_watcher(reading)
            while True:
                # Of the others what they told: their lines may have been lost, or the watcher is a new one.
                others = [f"{'=' if at_work else '-'}{part}\n" for part, at_work in self._at_work.copy().items()]
                self._send(f"+{LOOP}\n{''.join(others)}")
                self._named.clear()
                await asyncio.sleep(min(_BEAT_SECONDS, self._limit / 10))
                if (status := self._watcher.poll()) is not None:
                    log.warning("worker.unwatched", worker=self._worker, status=status)
                    self._watcher = self._start_watcher(reading)
        finally:
            self._end_watcher()
            faulthandler.unregister(SHOW_SIGNAL)
            os.close(reading)
            os.close(writing)

    def _start_watcher(self, stacks: int) -> subprocess.Popen[bytes]:
        arguments = [str(os.getpid()), self._worker, str(self._limit), str(stacks)]
        command = [sys.executable, "-I", "-S", stall_watcher.__file__, *arguments]
        watcher = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[stacks], bufsize=0)
        assert watcher.stdin is not None
        os.set_blocking(watcher.stdin.fileno(), False)
        return watcher

    def _send(self, lines: str) -> None:
        if self._watcher is not None and self._watcher.stdin is not None:
            # It does not read, or has ended: `run` says it again. Closed: nobody is to watch any more.
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ValueError):
                self._watcher.stdin.write(lines.encode())

    def _end_watcher(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None and watcher.stdin is not None:
            watcher.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                watcher.wait(_END_SECONDS)


def _answer_signals() -> tuple[int, int]:
    """Answer the watcher's signals without the interpreter's lock. Returns the pipe into which the stack is written."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    faulthandler.register(SHOW_SIGNAL, file=writing, all_threads=True)
    libc = ctypes.CDLL(None)
    libc.signal(int(END_SIGNAL), ctypes.cast(libc._exit, ctypes.c_void_p))
    return reading, writing
