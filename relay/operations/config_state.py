"""Say which configuration there is, and why it is refused, for programs. Pure."""

from collections.abc import Sequence

from relay.config.config import Config
from relay.model import Record


class ConfigState(Record):
    """A configuration; and why the file as it is now is refused, if it is. `version` is empty where there is none."""

    version: str
    error: str | None
    findings: Sequence[str]
    sources: Sequence[str]
    sinks: Sequence[str]
    routes: Sequence[str]


def describe_config(config: Config, path: str, error: str | None) -> ConfigState:
    """Describe a configuration that was read from a path."""
    return ConfigState(
        version=config.version,
        error=error,
        findings=[finding.format(path) for finding in config.findings],
        sources=list(config.sources),
        sinks=list(config.sinks),
        routes=[route.name for route in config.routes],
    )


def describe_refused(error: str) -> ConfigState:
    """Describe a configuration that cannot be used at all."""
    return ConfigState(version="", error=error, findings=(), sources=(), sinks=(), routes=())
