"""End what a supervisor started when it could not do so itself: it was killed, and nothing may be left behind.

The guard is a process of its own, run by this file's path with the standard library alone, so that it is there in
milliseconds. The supervisor writes "+pid" and "-pid" lines; the end of its pipe is its end, however it came.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

_GRACE_SECONDS = 5.0
_LOOK_SECONDS = 0.05


class OrphanGuard:
    """The supervisor's side: a guard that watches process groups, by their leader's pid."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, text=True)

    def watch(self, group: int) -> None:
        """End this group when the supervisor ends."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """It has ended."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End whatever is still watched, and the guard."""
        self._process.communicate()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()


def main() -> None:
    """Follow the pipe to its end, then end what is left, the newest first."""
    groups: list[int] = []
    for line in sys.stdin:
        if line[0] == "+":
            groups.insert(0, int(line[1:]))
        else:
            groups.remove(int(line[1:]))
    deadline = time.monotonic() + _GRACE_SECONDS
    for group in groups:  # one after another: who came later needs those before it to end well
        _signal(group, signal.SIGTERM)
        _signal(group, signal.SIGCONT)  # one that was stopped hears the other signal only now
        while _alive(group) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        _signal(group, signal.SIGKILL)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of one that has ended and was not fetched
        return False
    return True


def _signal(group: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, how)


if __name__ == "__main__":
    main()
