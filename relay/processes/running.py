"""Find the relay in this folder that a command works on, and say which where several could be meant."""

from collections.abc import Mapping
from typing import Final

from relay.processes.folder import DEMO_FOLDER, FOLDER, running_environ

_FOLDERS: Final = {"relay dev": FOLDER, "relay demo": DEMO_FOLDER}


def choose_running(environ: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return the variables of the relay that runs in this folder, and a sentence where several could be meant.

    The variables are empty where none runs, or REDIS_URL names another store. `relay dev` comes before `relay demo`.
    """
    running = {name: found for name, folder in _FOLDERS.items() if (found := running_environ(folder))}
    names = " and ".join(f"`{name}`" for name in running)
    if store := environ.get("REDIS_URL"):
        using = [found for found in running.values() if found["REDIS_URL"] == store]
        if using or not running:
            return (using[0] if using else {}), ""
        return {}, f"REDIS_URL is set: its store is used, and not that of {names}, which also runs in this folder"
    chosen = next(iter(running.values()), {})
    if len(running) < 2:
        return chosen, ""
    return chosen, f"{names} run in this folder: `{next(iter(running))}` is used"
