"""The configuration a process works by right now, with its sinks made; it follows the file."""

import gc
from collections.abc import Mapping

from relay.config.environment import Settings, environ
from relay.config.load import Config, load_file
from relay.config.reload import Watcher
from relay.sinks import TYPES
from relay.sinks.base import Sink


class Live:
    """Configuration and sinks. An invalid new file is reported and the old one stays; raises ConfigError at first."""

    def __init__(self, settings: Settings) -> None:
        path = settings.config_path
        self._watcher = Watcher(path, lambda: load_file(path, environ=environ(), sink_types=TYPES))
        self._sinks = make_sinks(self.config)

    @property
    def config(self) -> Config:
        """The last valid configuration."""
        return self._watcher.current

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """Its sinks by name."""
        return self._sinks

    @property
    def error(self) -> str | None:
        """What is wrong with the file as it is now."""
        return self._watcher.error

    def poll(self) -> bool:
        """Look at the file; return whether a new configuration is in force."""
        if self._watcher.poll() is None:
            return False
        self._sinks = make_sinks(self.config)
        return True


def make_sinks(config: Config) -> dict[str, Sink]:
    """Make the sinks of a configuration."""
    return {name: TYPES[settings.type](name, settings) for name, settings in config.sinks.items()}


def settle_memory() -> None:
    """Take what is there for good out of the garbage collector's sight, once a process is composed.

    Going through all modules again and again cost hooks 50 ms at a time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
