"""All child processes of `relay up`, and the guard that ends them when `relay up` itself was killed."""

import asyncio
import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from relay.processes.orphan_guard import OrphanGuard, dismiss
from relay.up.child_processes import ChildProcess, Reaper, adopt, spawn
from relay.up.log_files import LogFiles

GUARD_SECONDS: Final = 1.5  # hooks are refused meanwhile. What is cut is repeated; the store has all that was taken
STORE, OTHERS = 0, 1  # stages: the store ends last


class Children:
    """Starts and ends child processes. They keep the folder's lock: no other relay runs beside one that is left.

    `environ` is theirs; `logs` is where they write to, where that is not our own output.
    """

    def __init__(self, environ: Mapping[str, str], lock: int, logs: LogFiles | None) -> None:
        self._environ = environ
        self.lock = lock
        self._logs = logs
        self._reaper = Reaper()
        self._running: dict[ChildProcess, int] = {}
        self._guard: OrphanGuard | None = None

    def spawn(self, name: str, arguments: Sequence[str], pass_fds: Iterable[int] = ()) -> ChildProcess:
        """Start `python -m` with these arguments. Raises OSError."""
        command = [sys.executable, "-m", *arguments]
        fds = (self.lock, *pass_fds)
        log = None if self._logs is None else self._logs.path(name)
        return self._add(spawn(name, command, self._environ, fds, log, self._reaper), OTHERS)

    def adopt(self, name: str, pid: int, stage: int = OTHERS) -> ChildProcess:
        """Return a child that somebody else has started."""
        return self._add(adopt(name, pid, self._reaper), stage)

    def _add(self, process: ChildProcess, stage: int) -> ChildProcess:
        self._running[process] = stage
        self._watch(process, stage)
        process.ended.add_done_callback(lambda _: self._remove(process))
        return process

    def _remove(self, process: ChildProcess) -> None:
        del self._running[process]
        if self._guard is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.forget(process.pid)

    async def start_guard(self) -> ChildProcess:
        """Start a guard that watches all of them, and those to come."""
        self._guard = OrphanGuard(GUARD_SECONDS, pass_fds=(self.lock,))
        for process, stage in self._running.items():
            self._watch(process, stage)
        return adopt("guard", self._guard.pid, self._reaper)

    def _watch(self, process: ChildProcess, stage: int) -> None:
        if self._guard is not None:
            with contextlib.suppress(BrokenPipeError):  # it has just died: the next one learns of all
                self._guard.watch(process.pid, stage)

    @property
    def guard(self) -> OrphanGuard:
        """The guard that was started last."""
        assert self._guard is not None
        return self._guard

    def retire_guard(self, pid: int, pipe: int) -> None:
        """End a guard that was handed over: another one watches what it does."""
        self._reaper.watch(pid)
        dismiss(pipe, [process.pid for process in self._running])

    def pids(self, kind: str) -> Sequence[int]:
        """Return the process ids of those that are named so, as `worker` and `worker:2` are."""
        return [process.pid for process in self._running if process.name.partition(":")[0] == kind]

    async def end(self, stage: int, seconds: float) -> None:
        """End the processes of a stage in order, or after so many seconds by force."""
        ending = [process.end(seconds) for process, at in self._running.items() if at == stage]
        await asyncio.gather(*ending)

    def end_guard(self) -> None:
        """End the guard, with what is left."""
        if self._guard is not None:
            self._guard.close()
