"""The folder of a relay on this machine: locked by one process, with a file that says how to reach it."""

import fcntl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final, Self

import msgspec

from relay.errors import RelayError
from relay.private_files import make_files_private, make_private_folder, open_private

FOLDER: Final = Path(".relay")
DEMO_FOLDER: Final = FOLDER / "demo"
UP_FOLDER: Final = FOLDER / "up"
_ENVIRON = "running.json"
_POLL_SECONDS: Final = 0.05


class LockedFolder:
    """A folder that this process has locked. Raises RelayError where another process has, or it cannot be written to.

    The lock is held until every process that inherited its file has ended. `patience_seconds`: how long to wait for it.
    """

    def __init__(self, path: Path, patience_seconds: float = 0.0) -> None:
        self.path = path
        deadline = time.monotonic() + patience_seconds
        try:
            make_private_folder(path)
            make_private_folder(path / "logs")
            make_files_private(path / "logs")
            while (lock := _try_lock(path)) is None:
                if time.monotonic() >= deadline:
                    raise RelayError(f"another relay runs in {path}: end that one, or use another folder")
                time.sleep(_POLL_SECONDS)
        except OSError as error:
            raise _unusable(path, error) from error
        self._lock = lock

    @classmethod
    def inherited(cls, path: Path, fd: int) -> Self:
        """Return a folder whose lock's file this process has inherited."""
        locked = cls.__new__(cls)
        locked.path, locked._lock = path, open(fd, "ab")  # noqa: SIM115
        return locked

    def fileno(self) -> int:
        """Return the lock's file."""
        return self._lock.fileno()

    def write_environ(self, environ: Mapping[str, str]) -> None:
        """Write the variables by which other commands in this folder reach the relay."""
        with open(self.path / _ENVIRON, "wb", opener=open_private) as file:
            file.write(msgspec.json.encode(environ))

    def release(self) -> None:
        """Remove the file, and unlock the folder."""
        (self.path / _ENVIRON).unlink(missing_ok=True)
        self._lock.close()


def running_environ(path: Path) -> dict[str, str]:
    """Return the variables by which the relay that runs in a folder is reached; empty where none runs.

    Raises RelayError where this user may not look.
    """
    file = path / _ENVIRON
    try:
        if not file.exists():
            return {}
        lock = _try_lock(path)
        if lock is not None:  # the file was left by a relay that was killed
            lock.close()
            return {}
        return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except PermissionError as error:
        raise RelayError(f"{path} is another user's: run the command as the user whose relay runs there") from error


def _try_lock(path: Path) -> IO[bytes] | None:
    """Lock a folder until the file that is returned is closed; None where another process has it."""
    lock = open(path / "lock", "ab", opener=open_private)  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _unusable(path: Path, error: OSError) -> RelayError:
    return RelayError(f"{path.absolute()}: {error.strerror}: make it a folder that this user may write to")
