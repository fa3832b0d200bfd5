"""A configuration's text read with every sink there is, and what a route of it renders for one of its sinks."""

from collections.abc import Mapping

from relay.config.config import Config
from relay.config.load import load
from relay.errors import ConfigError
from relay.sinks.registry import sink_types

SOURCES = "sources: {acme: {type: amocrm, token: acme-token}}\n"


def configured(text: str, **environ: str) -> Config:
    """Load a configuration with one source."""
    return load(SOURCES + text, file="f", environ=environ, sink_types=sink_types())


def mistakes(text: str, **environ: str) -> list[str]:
    """Return what is told of a configuration, its source's line not counted."""
    try:
        configured(text, **environ)
    except ConfigError as error:
        return str(error).splitlines()
    return []


def rendered(config: Config, **views: object) -> Mapping[str, object]:
    """Return what the only route gives its sink for these views."""
    (route,) = config.routes_for("acme", frozenset({"status_lead"}))
    params = route.content.render(views)
    assert isinstance(params, Mapping)
    return params
