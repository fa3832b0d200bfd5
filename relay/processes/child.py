"""One process that a supervisor started: its log, its exit status, and the end of its output."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from relay.private_files import UMASK, open_private

_TAIL_BYTES: Final = 4000
_TAIL_LINES: Final = 15


class Child:
    """A running process in a group of its own, which Ctrl-C on the terminal does not reach: the supervisor ends it.

    Its output goes to its log, and line by line to `show` where there is one.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        log: Path,
        show: Callable[[str], None] | None,
    ) -> None:
        self.name = name
        self.log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        with open(log, "ab", opener=open_private) as file:
            self._process = subprocess.Popen(
                command,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=file if show is None else subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=UMASK,
            )
        self._pump = None if show is None else threading.Thread(target=self._copy, args=(show,), daemon=True)
        if self._pump is not None:
            self._pump.start()

    def _copy(self, show: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        with open(self.log, "ab", buffering=0, opener=open_private) as file, self._process.stdout as output:
            for line in output:
                file.write(line)
                show(line.decode(errors="replace").rstrip("\n"))

    @property
    def pid(self) -> int:
        """The process id, which is its group's too."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        """Return its output since it was started."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def output_tail(self) -> str:
        """Return the last lines of its output."""
        return "\n".join(self.output()[-_TAIL_BYTES:].splitlines()[-_TAIL_LINES:])

    def terminate(self) -> None:
        """Ask it to end, with SIGTERM."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # a stopped process receives SIGTERM only when it is continued

    def wait(self, seconds: float) -> int:
        """Wait until it has ended, and kill it after so many seconds. Returns its exit status."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.kill()

    def kill(self) -> int:
        """Kill it with all processes of its group, as a power cut would. Returns its exit status."""
        self._signal(signal.SIGKILL)
        status = self._process.wait()
        if self._pump is not None:
            self._pump.join(timeout=1)
        return status

    def _signal(self, how: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, how)
