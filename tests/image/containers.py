"""A container of the image: the image's own command, user and environment, on the machine's own network."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.image.building import IMAGE, buildah, environment

_ENDED_SECONDS: Final = 30.0


class Container:
    """One container, and the process in it. It is removed by `remove`."""

    def __init__(self, configuration: Mapping[str, Any], config_folder: Path, variables: Mapping[str, str]) -> None:
        self._name = buildah("from", "--pull-never", IMAGE, quiet=True).strip()
        self._entrypoint: list[str] = configuration["Entrypoint"]
        self._health: list[str] = configuration["Healthcheck"]["Test"]
        mounted = ("--volume", f"{config_folder}:/etc/relay:ro")
        self._options = [*mounted, *(f"--env={name}={value}" for name, value in variables.items())]
        self._running: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that runs this in the container."""
        return ["buildah", "run", *self._options, self._name, "--", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it and wait for its end."""
        return subprocess.run(
            self.command(*arguments), env=environment(), capture_output=True, text=True, timeout=60, check=False
        )

    def relay(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the image's entry point with these arguments, and wait for its end."""
        return self.run(*self._entrypoint, *arguments)

    def healthy(self) -> bool:
        """Run the image's health check."""
        assert self._health[0] == "CMD"
        return self.run(*self._health[1:]).returncode == 0

    def start(self, log: Path, *arguments: str) -> None:
        """Start the image's entry point with these arguments in the background."""
        with log.open("ab") as file:
            self._running = subprocess.Popen(
                self.command(*self._entrypoint, *arguments), env=environment(), stdout=file, stderr=file
            )

    def end(self, how: signal.Signals) -> int:
        """Signal the container's process, as an engine does, and wait for its end. Returns its exit status."""
        assert self._running is not None
        os.kill(self.pid(), how)
        status = self._running.wait(_ENDED_SECONDS)
        self._running = None
        return status

    def pid(self) -> int:
        """Return the id of the container's process: the nearest below `buildah run` that is not buildah itself."""
        assert self._running is not None
        end = time.monotonic() + _ENDED_SECONDS
        while not (found := [pid for pid in _descendants(self._running.pid) if not _buildahs_own(pid)]):
            assert time.monotonic() < end, "nothing runs in the container"
            time.sleep(0.05)
        return found[0]

    def remove(self) -> None:
        """End what runs in it, and delete it."""
        if self._running is not None and self._running.poll() is None:
            self.end(signal.SIGKILL)
        buildah("rm", self._name, quiet=True)


def _descendants(parent: int) -> list[int]:
    """Return the processes below one, the nearest first."""
    found, level = [], [parent]
    while level:
        level = [child for pid in level for child in _children(pid)]
        found += level
    return found


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except FileNotFoundError:  # it has ended
        return []


def _buildahs_own(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"buildah")
    except FileNotFoundError:  # it has ended
        return True
