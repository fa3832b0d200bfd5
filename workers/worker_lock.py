"""A worker's name, and the proof that its process has ended: a file of this machine that it holds locked.

The kernel lets go of a lock when its process ends, however it ends, and not while the process is only stopped.
"""

import fcntl
import hashlib
import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from relay.logs import log
from relay.private_files import make_private_folder, open_private


def make_worker_name() -> str:
    """Return a name that no other worker has or had: host, process id and something random."""
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"


class WorkerLock:
    """The lock of this process's worker. Where no file can be written there is none, and nobody takes it for dead."""

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self._name = name
        self._folder = folder or _folder()
        self._file: IO[bytes] | None = None

    def acquire(self) -> None:
        """Lock the file. It gets its name when it is locked: nobody sees it unlocked before."""
        path = _path(self._folder, self._name)
        try:
            make_private_folder(self._folder)
            file = open(path.with_suffix(".new"), "ab", opener=open_private)  # noqa: SIM115
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.with_suffix(".new").rename(path)
        except OSError as error:
            log.warning("worker.unlocked", worker=self._name, reason=f"{self._folder}: {error.strerror}")
        else:
            self._file = file

    def release(self) -> None:
        """Remove the file, and let go of the lock."""
        if self._file is not None:
            _path(self._folder, self._name).unlink(missing_ok=True)
            self._file.close()


def has_ended(name: str, folder: Path | None = None) -> bool:
    """Return whether the process of a worker has ended for certain: it was of this host, and its file is unlocked."""
    if name.partition(":")[0] != socket.gethostname():
        return False
    with suppress(OSError), open(_path(folder or _folder(), name), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def forget(name: str, folder: Path | None = None) -> None:
    """Remove the file of a worker that has ended."""
    with suppress(OSError):
        _path(folder or _folder(), name).unlink()


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"amo-relay-workers-{os.getuid()}"


def _path(folder: Path, name: str) -> Path:
    """Return a worker's file: the names that stand in the store may hold anything."""
    return folder / hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
