"""Write the files of `relay init`: all of them, or none."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from relay.errors import RelayError

_PRIVATE: Final = 0o600
_READABLE: Final = 0o644


def write_files(folder: Path, texts: Mapping[str, str], private: str) -> None:
    """Write files that do not exist; only their owner can read the one that is `private`. Raises RelayError."""
    for name in texts:
        if (folder / name).exists():
            raise RelayError(f"{folder / name} exists: remove it, or choose another folder; nothing was written")
    written: list[Path] = []
    try:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = _PRIVATE if name == private else _READABLE
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink()
        raise RelayError(f"{error.filename or folder}: {error.strerror}: choose another folder") from error
