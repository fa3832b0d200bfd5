"""Which source a command means, and its hook's address."""

from relay.config.findings import did_you_mean
from relay.config.load import Config
from relay.errors import ConfigError


def source_of(config: Config, name: str | None) -> str:
    """Return the source that was named, or the only one. Raises ConfigError."""
    if name is None:
        if len(config.sources) == 1:
            return next(iter(config.sources))
        raise ConfigError(f"--source: there are several, name one of {', '.join(sorted(config.sources))}")
    if name not in config.sources:
        raise ConfigError(f"--source: unknown source {name}, {did_you_mean(name, config.sources)}")
    return name


def hook_path(config: Config, source: str) -> str:
    """Return the path that a source's hooks are posted to. It holds the token."""
    return f"/hooks/{source}/{config.hook_tokens[source].decode()}"
