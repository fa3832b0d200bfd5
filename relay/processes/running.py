"""Find the relay in this folder that a command works on, and say which where several could be meant."""

from collections.abc import Mapping
from typing import Final

from relay.processes.folder import DEMO_FOLDER, FOLDER, UP_FOLDER, running_environ

SANDBOX_URL: Final = "RELAY_SANDBOX_URL"
SANDBOX_PORT: Final = "RELAY_SANDBOX_PORT"
SANDBOX_SMTP_PORT: Final = "RELAY_SANDBOX_SMTP_PORT"
SANDBOX: Final = (SANDBOX_URL, SANDBOX_PORT, SANDBOX_SMTP_PORT)
"""Where the fakes are."""
NO_PROXY: Final = "no_proxy"
_DEMO: Final = "relay demo"
_FOLDERS: Final = {"relay up": UP_FOLDER, "relay dev": FOLDER, _DEMO: DEMO_FOLDER}  # the first that runs is used


def choose_running(environ: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return the variables of the relay that runs in this folder, and a sentence where another could be meant.

    The variables are empty where none runs, or REDIS_URL names another store. `relay up` comes first, then `relay dev`.
    """
    running = {name: found for name, folder in _FOLDERS.items() if (found := running_environ(folder))}
    names = " and ".join(f"`{name}`" for name in running)
    if store := environ.get("REDIS_URL"):
        using = [found for found in running.values() if found["REDIS_URL"] == store]
        if using or not running:
            return (using[0] if using else {}), ""
        return {}, f"REDIS_URL is set: its store is used, and not that of {names}, which also runs in this folder"
    if not running:
        return {}, ""
    name, found = next(iter(running.items()))
    if len(running) > 1:
        return found, f"{names} run in this folder: `{name}` is used"
    return found, f"`{name}` runs in this folder: its store and its configuration are used" if name == _DEMO else ""
