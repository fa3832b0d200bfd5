"""The folder `.relay` of a relay on this machine: one at a time, and a note of how it can be reached."""

import fcntl
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import msgspec

from relay.errors import RelayError

FOLDER: Final = Path(".relay")
_NOTE = "running.json"


class LockedFolder:
    """A folder held by this process. Raises RelayError where another one holds it."""

    def __init__(self, path: Path) -> None:
        (path / "logs").mkdir(parents=True, exist_ok=True)
        self._note = path / _NOTE
        self._lock = _locked(path)
        if self._lock is None:
            raise RelayError(f"another relay runs in {path}: end that one, or use another folder")

    def write_environ(self, environ: Mapping[str, str]) -> None:
        """Tell other commands in this folder how to reach what runs."""
        self._note.write_bytes(msgspec.json.encode(environ))

    def release(self) -> None:
        """Return the folder free."""
        self._note.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()


def running_environ(path: Path) -> dict[str, str]:
    """Return the variables by which the relay that runs in a folder is reached; none where none runs."""
    note = path / _NOTE
    if not note.exists():
        return {}
    lock = _locked(path)
    if lock is not None:  # left behind by one that was killed
        lock.close()
        return {}
    return msgspec.json.decode(note.read_bytes(), type=dict[str, str])


def _locked(path: Path) -> IO[bytes] | None:
    """Lock a folder until the file that is returned is closed; None where another process has it."""
    lock = (path / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock
