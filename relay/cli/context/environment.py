"""The environment that commands work in: their own, and that of the relay that runs in this folder."""

from functools import cache

from relay.cli.display.output import print_message
from relay.config.environment import ProcessSettings, environ
from relay.processes.running import NO_PROXY, choose_running


def nonempty_environ() -> dict[str, str]:
    """Return the environment without its empty variables, which count as not set."""
    return {name: value for name, value in environ().items() if value}


def command_environ() -> dict[str, str]:
    """Return the environment with the addresses of the relay that runs in this folder.

    Where another relay could be meant, print which one is used.
    """
    given = nonempty_environ()
    running, note = choose_running(given)
    if note:
        _print_once(note)
    # Its NO_PROXY is yours, and its fake vendors. In its own store there is nothing under another namespace.
    its_own = (NO_PROXY,) if given.get("REDIS_URL") else (NO_PROXY, "RELAY_NAMESPACE")
    return {**running, **given, **{name: value for name, value in running.items() if name in its_own}}


@cache
def _print_once(note: str) -> None:
    """Print something once in a process, on stderr: a program may read stdout."""
    print_message(note, error=True)


def load_settings() -> ProcessSettings:
    """Read the settings. Raises ConfigError."""
    return ProcessSettings.from_environ(command_environ())
