"""End the processes of a supervisor that was killed, so that none is left behind.

The guard is a process of its own. It is run by this file's path with the standard library alone, so it starts within
milliseconds. The supervisor writes "+pid" and "-pid" lines to a pipe, which is closed however the supervisor ends.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

_GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.05


class OrphanGuard:
    """The supervisor's side: a guard that watches process groups, by their leader's pid."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, text=True)

    def watch(self, group: int) -> None:
        """End this group when the supervisor ends."""
        self._write(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Stop watching a group: it has ended."""
        self._write(f"-{group}\n")

    def close(self) -> None:
        """End the groups that are still watched, then the guard."""
        self._process.communicate()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()


def main() -> None:
    """Read the pipe to its end, then end the groups that are left, the newest first."""
    groups: list[int] = []
    for line in sys.stdin:
        if line[0] == "+":
            groups.insert(0, int(line[1:]))
        else:
            groups.remove(int(line[1:]))
    deadline = time.monotonic() + _GRACE_SECONDS
    for group in groups:  # one after another: a later process needs the earlier ones to end in order
        _signal(group, signal.SIGTERM)
        _signal(group, signal.SIGCONT)  # a stopped process receives SIGTERM only when it is continued
        while _alive(group) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        _signal(group, signal.SIGKILL)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # macOS raises the latter for a zombie
        return False
    return True


def _signal(group: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, how)


if __name__ == "__main__":
    main()
