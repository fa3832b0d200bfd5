"""The values that shells complete: names in the configuration file, and events."""

import os
import re
from collections.abc import Iterable
from typing import Final

from relay.errors import ConfigError

_ASKS: Final = "_RELAY_COMPLETE"  # by which typer's scripts ask for completions
_UNSAFE: Final = re.compile(r"[^\w@%+=:,./-]")


def complete_sources(incomplete: str) -> list[str]:
    """Return the sources that begin so."""
    return _beginning(incomplete, _read_names("sources"))


def complete_sinks(incomplete: str) -> list[str]:
    """Return the sinks that begin so."""
    return _beginning(incomplete, _read_names("sinks"))


def complete_routes(incomplete: str) -> list[str]:
    """Return the routes that begin so."""
    return _beginning(incomplete, _read_names("routes"))


def complete_events(incomplete: str) -> list[str]:
    """Return the events that begin so."""
    from relay.events import EVENT_ENTITIES

    return _beginning(incomplete, EVENT_ENTITIES)


def _beginning(begin: str, names: Iterable[str]) -> list[str]:
    """Return what begins so, as the shell that asks takes it: bash as it would be typed, others quote it themselves."""
    found = sorted(name for name in names if name.startswith(begin))
    return [_UNSAFE.sub(r"\\\g<0>", name) for name in found] if os.environ.get(_ASKS) == "complete_bash" else found


def _read_names(section: str) -> set[str]:
    """Return the names of a section of the file, which is read and not checked: that would take half a second.

    None where it cannot be read: somebody who presses a key wants no messages, and `relay check` has them.
    """
    from relay.config.environment import ProcessSettings, environ
    from relay.config.findings import Findings
    from relay.config.include import read_files
    from relay.config.text_files import read_text

    try:
        path = ProcessSettings.from_environ(environ()).config_path
        whole = read_files(read_text(path, ""), path, Findings(path)).document.value
    except ConfigError:
        return set()
    found = whole.get(section) if isinstance(whole, dict) else None
    if isinstance(found, list):
        return {name for item in found if isinstance(item, dict) and isinstance(name := item.get("name"), str)}
    return set(found) if isinstance(found, dict) else set()
