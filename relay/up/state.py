"""What `relay up` says about itself in its folder, for `relay up --reload`."""

import os
from pathlib import Path
from typing import Final

import msgspec

from relay.model import Record
from relay.private_files import open_private

_FILE: Final = "state.json"


class UpState(Record):
    """The process that runs, its version, and how many reloads it has done or refused; `problem`: what the last met.

    `start`: the same over all reloads, and another for each start; a process id may be the same.
    """

    pid: int
    start: str
    version: str
    reloads: int = 0
    problem: str | None = None


def write_state(folder: Path, state: UpState) -> None:
    """Write the state, whole or not at all. Raises OSError."""
    new = folder / f"{_FILE}.new"
    with open(new, "wb", opener=open_private) as file:
        file.write(msgspec.json.encode(state))
    new.replace(folder / _FILE)


def read_state(folder: Path) -> UpState | None:
    """Read the state that was written last; None where there is none, or it cannot be read."""
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=UpState)
    except (OSError, msgspec.DecodeError):
        return None


def forget_state(folder: Path) -> None:
    """Remove what an earlier process has written."""
    (folder / _FILE).unlink(missing_ok=True)


def is_other_process(state: UpState) -> bool:
    """Return whether the process that wrote the state lives, and is not this one: a container's is always number 1."""
    if state.pid == os.getpid():
        return False
    try:
        os.kill(state.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
