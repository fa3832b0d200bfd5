"""Folders and files that only their owner reads: what a relay keeps on this machine has people and tokens in it."""

import os
from pathlib import Path
from typing import Final

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
UMASK: Final = 0o077  # of a process that writes such files itself


def make_private_folder(folder: Path) -> None:
    """Make a folder private, and those above it that are missing. Raises OSError."""
    for missing in [path for path in reversed(folder.parents) if not path.exists()]:
        missing.mkdir(FOLDER_MODE, exist_ok=True)
    folder.mkdir(FOLDER_MODE, exist_ok=True)
    _restrict(folder, FOLDER_MODE)


def make_files_private(folder: Path) -> None:
    """Make all private that is in a folder already: an earlier relay may have written it. Raises OSError."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            continue
        _restrict(path, FOLDER_MODE if path.is_dir() else FILE_MODE)


def open_private(path: str | os.PathLike[str], flags: int) -> int:
    """Open a file, for `open(…, opener=open_private)`: private, whoever could read it before. Raises OSError."""
    file = os.open(path, flags, FILE_MODE)
    if flags & (os.O_WRONLY | os.O_RDWR):
        os.fchmod(file, FILE_MODE)
    return file


def _restrict(path: Path, mode: int) -> None:
    if path.stat().st_mode & 0o777 != mode:
        path.chmod(mode)
