"""The folder of a relay on this machine: locked by one process, with a file that says how to reach it."""

import fcntl
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import msgspec

from relay.errors import RelayError

FOLDER: Final = Path(".relay")
DEMO_FOLDER: Final = FOLDER / "demo"
_ENVIRON = "running.json"


class LockedFolder:
    """A folder that this process has locked. Raises RelayError where another process has."""

    def __init__(self, path: Path) -> None:
        (path / "logs").mkdir(parents=True, exist_ok=True)
        self._environ = path / _ENVIRON
        self._lock = _try_lock(path)
        if self._lock is None:
            raise RelayError(f"another relay runs in {path}: end that one, or use another folder")

    def write_environ(self, environ: Mapping[str, str]) -> None:
        """Write the variables by which other commands in this folder reach the relay."""
        self._environ.write_bytes(msgspec.json.encode(environ))

    def release(self) -> None:
        """Remove the file, and unlock the folder."""
        self._environ.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()


def running_environ(path: Path) -> dict[str, str]:
    """Return the variables by which the relay that runs in a folder is reached; empty where none runs."""
    file = path / _ENVIRON
    if not file.exists():
        return {}
    lock = _try_lock(path)
    if lock is not None:  # the file was left by a relay that was killed
        lock.close()
        return {}
    return msgspec.json.decode(file.read_bytes(), type=dict[str, str])


def _try_lock(path: Path) -> IO[bytes] | None:
    """Lock a folder until the file that is returned is closed; None where another process has it."""
    lock = (path / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock
