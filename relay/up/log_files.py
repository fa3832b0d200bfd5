"""The logs of `relay up` in its folder: bounded, however long it runs."""

import contextlib
import io
import os
import shutil
import sys
from pathlib import Path
from typing import Final, TextIO

from relay.private_files import open_private

MAX_BYTES: Final = 20_000_000
OLD_FILES: Final = 4
OWN: Final = "up"  # the log of `relay up` itself


class LogFiles:
    """A log for each kind of process, `web.log`; of each the four files before it, `web.log.1` the newest."""

    def __init__(self, folder: Path, *others: Path) -> None:
        self.folder = folder
        self._others = others  # logs that somebody else writes

    def path(self, process: str) -> Path:
        """Return the log of a process, `worker:2` for example."""
        return self.folder / f"{process.partition(':')[0]}.log"

    def rotate(self) -> None:
        """Put aside what has grown too long. Raises nothing: what cannot be put aside now is tried again."""
        for path in (*self.folder.glob("*.log"), *self._others):
            with contextlib.suppress(OSError):
                if path.stat().st_size > MAX_BYTES:
                    _rotate(path)


def _rotate(path: Path) -> None:
    """Copy a log and empty it: its writers keep it open, and append. What they write in between is in neither.

    The old ones stay as they are until there is a copy. Raises OSError.
    """
    if shutil.disk_usage(path.parent).free < path.stat().st_size:
        return  # what room is left is the store's
    copy = path.with_name(f"{path.name}.new")
    with path.open("r+b") as log:  # so one that cannot be emptied is not copied, either
        try:
            with open(copy, "wb", opener=open_private) as file:
                shutil.copyfileobj(log, file)
        except OSError:
            copy.unlink(missing_ok=True)
            raise
        for number in range(OLD_FILES - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                _old(path, number).replace(_old(path, number + 1))
        copy.replace(_old(path, 1))
        os.ftruncate(log.fileno(), 0)


def _old(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


class TerminalAndFile(io.TextIOBase):
    """A stream that writes to stdout and to a log. A terminal that was closed is no mistake."""

    def __init__(self, path: Path) -> None:
        file = open(path, "a", encoding="utf-8", opener=open_private)  # noqa: SIM115
        self._streams: tuple[TextIO, ...] = (sys.stdout, file)

    def write(self, text: str) -> int:
        """Write to both."""
        for stream in self._streams:
            with contextlib.suppress(OSError):
                stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush both."""
        for stream in self._streams:
            with contextlib.suppress(OSError):
                stream.flush()

    def isatty(self) -> bool:
        """Return whether it is read on a terminal: no, the log has no colours."""
        return False
