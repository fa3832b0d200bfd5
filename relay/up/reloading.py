"""Ask the `relay up` that runs in a folder to become what is installed now, and wait until it has."""

import os
import signal
import time
from pathlib import Path
from typing import Final

from relay.errors import RelayError
from relay.processes.folder import running_environ
from relay.up.state import UpState, is_other_process, read_state

_SECONDS: Final = 600.0  # workers end one after another, each in half a minute at most
_POLL_SECONDS: Final = 0.1


def reload_running(folder: Path) -> str:
    """Return the version that runs now. Raises RelayError where none runs, or the old one goes on."""
    before = _running_state(folder)
    try:
        os.kill(before.pid, signal.SIGHUP)
    except ProcessLookupError as error:
        raise _not_running(folder) from error
    except PermissionError as error:
        raise RelayError("`relay up` runs as another user: run this command as that one") from error
    deadline = time.monotonic() + _SECONDS
    while (state := _state_after(before, folder)).reloads == before.reloads:
        if time.monotonic() > deadline:
            raise RelayError(f"not reloaded within {_SECONDS:.0f} s: see its log in {folder / 'logs'}, or the journal")
        time.sleep(_POLL_SECONDS)
    if state.problem is not None:
        raise RelayError(f"not reloaded, the processes before go on:\n{state.problem}")
    return state.version


def _running_state(folder: Path) -> UpState:
    state = read_state(folder)
    if state is None or not running_environ(folder):
        raise _not_running(folder)
    return state


def _state_after(before: UpState, folder: Path) -> UpState:
    state = read_state(folder)
    if state is None or state.start != before.start or not is_other_process(state):
        raise RelayError(f"`relay up` ended at the reload: see its log in {folder / 'logs'}, or the journal")
    return state


def _not_running(folder: Path) -> RelayError:
    return RelayError(f"no `relay up` is ready in {folder.absolute()}: start it there, without --reload")
