"""End the processes of a supervisor that was killed, so that none is left behind.

The guard is a process of its own. It is run by this file's path with the standard library alone, so it starts within
milliseconds. The supervisor writes "+pid stage" and "-pid" lines to a pipe, which is closed however it ends.
"""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence

_GRACE_SECONDS = 5.0  # for all stages together
_LAST_SECONDS = 1.0  # for each at least
_POLL_SECONDS = 0.05


class OrphanGuard:
    """The supervisor's side: a guard that watches process groups, by their leader's pid."""

    def __init__(self, grace_seconds: float = _GRACE_SECONDS, pass_fds: Sequence[int] = ()) -> None:
        command = [sys.executable, "-I", "-S", __file__, str(grace_seconds)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, pass_fds=pass_fds)
        self._stages = itertools.count(1)

    @property
    def pid(self) -> int:
        """The guard's process id."""
        return self._process.pid

    def fileno(self) -> int:
        """Return the pipe to the guard: it ends the groups once nobody has this file open."""
        assert self._process.stdin is not None
        return self._process.stdin.fileno()

    def watch(self, group: int, stage: int | None = None) -> None:
        """End this group when the supervisor ends.

        Groups of a higher stage end first, those of one stage together. By default each is a stage of its own, so the
        newest ends first: a later process needs the earlier ones to end in order.
        """
        self._write(f"+{group} {next(self._stages) if stage is None else stage}\n")

    def forget(self, group: int) -> None:
        """Stop watching a group: it has ended."""
        self._write(f"-{group}\n")

    def close(self) -> None:
        """End the groups that are still watched, then the guard."""
        self._process.communicate()

    def _write(self, line: str) -> None:
        os.write(self.fileno(), line.encode())


def dismiss(pipe: int, groups: Iterable[int]) -> None:
    """End a guard that watches these groups by its pipe, and leave them alone: another one watches them."""
    with contextlib.suppress(BrokenPipeError):  # it has ended already
        os.write(pipe, "".join(f"-{group}\n" for group in groups).encode())
    os.close(pipe)


def main() -> None:
    """Read the pipe to its end, then end the groups that are left, stage by stage."""
    stages: dict[int, int] = {}
    for line in sys.stdin:
        group, _, stage = line[1:].partition(" ")
        if line[0] == "+":
            stages[int(group)] = int(stage)
        else:
            stages.pop(int(group), None)
    deadline = time.monotonic() + float(sys.argv[1])
    for current in sorted(set(stages.values()), reverse=True):
        groups = [group for group, stage in stages.items() if stage == current]
        _end(groups, max(deadline, time.monotonic() + _LAST_SECONDS))


def _end(groups: Iterable[int], deadline: float) -> None:
    for group in groups:
        _signal(group, signal.SIGTERM)
        _signal(group, signal.SIGCONT)  # a stopped process receives SIGTERM only when it is continued
    while any(_alive(group) for group in groups) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    for group in groups:
        _signal(group, signal.SIGKILL)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # macOS raises the latter for a zombie
        return False
    return not _has_ended(group)


def _has_ended(group: int) -> bool:
    """Return whether what is left of a group are zombies: who inherits them, as in a container, may not reap them soon.

    Only Linux shows this in /proc; elsewhere it is False.
    """
    states: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat:
                state, _, of_group, *_ = stat.read().rpartition(")")[2].split()
                if int(of_group) == group:
                    states.append(state)
    return bool(states) and set(states) <= {"Z", "X"}


def _signal(group: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, how)


if __name__ == "__main__":
    main()
