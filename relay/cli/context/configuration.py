"""The configuration that commands work on."""

from collections.abc import Mapping

from relay.cli.context.environment import command_environ
from relay.config.config import Config, Source
from relay.config.environment import ProcessSettings
from relay.config.load import load_file
from relay.config.suggestions import did_you_mean
from relay.errors import ConfigError
from relay.sinks.registry import sink_types


def load_config() -> Config:
    """Load the configuration. Raises ConfigError."""
    return load_config_of(command_environ())


def load_config_of(variables: Mapping[str, str]) -> Config:
    """Load the configuration as a process with this environment does. Raises ConfigError."""
    return load_file(ProcessSettings.from_environ(variables).config_path, environ=variables, sink_types=sink_types())


def choose_source(sources: Mapping[str, Source], name: str | None) -> Source:
    """Return the source of a name, or where none is given the only one. Raises ConfigError."""
    if name is None:
        if len(sources) == 1:
            return next(iter(sources.values()))
        raise ConfigError(f"--source: there are several, name one of {', '.join(sorted(sources))}")
    if name not in sources:
        raise ConfigError(f"unknown source {name}, {did_you_mean(name, sources)}")
    return sources[name]
