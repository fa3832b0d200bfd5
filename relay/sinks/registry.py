"""The types of sinks there are: the built-in ones and those that installed packages add (docs/contributing.md)."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from relay.errors import ConfigError
from relay.sinks.base import Sink
from relay.sinks.http.sink import HttpSink
from relay.sinks.log.sink import LogSink
from relay.sinks.moysklad.sink import MoySkladSink
from relay.sinks.sms.gateway import Gateway
from relay.sinks.sms.http_gateway import HttpGateway
from relay.sinks.sms.sink import gateway_sink
from relay.sinks.sms.smsc import Smsc
from relay.sinks.sms.smsru import Smsru
from relay.sinks.unisender.sink import UnisenderSink

SINKS: tuple[type[Sink], ...] = (HttpSink, LogSink, MoySkladSink, UnisenderSink)
GATEWAYS: tuple[type[Gateway], ...] = (HttpGateway, Smsc, Smsru)
"""Each becomes a sink of its own for text messages."""

SINKS_GROUP = "amo_relay.sinks"
GATEWAYS_GROUP = "amo_relay.sms"


@cache
def sink_types() -> Mapping[str, type[Sink]]:
    """Return the sinks by the `type` of the YAML. Raises ConfigError where an installed one cannot be loaded.

    A built-in sink wins over an installed one of the same type.
    """
    gateways = [*_installed(GATEWAYS_GROUP, Gateway), *GATEWAYS]
    sinks = [*_installed(SINKS_GROUP, Sink), *map(gateway_sink, gateways), *SINKS]
    return {sink.type: sink for sink in sinks}


def _installed(group: str, base: type[Any]) -> Iterator[Any]:
    """Load the classes that installed packages name under an entry point group."""
    for point in entry_points(group=group):
        try:
            loaded = point.load()
        except Exception as error:
            raise ConfigError(f"{_describe(point)} cannot be loaded: {type(error).__name__}: {error}") from error
        if not (isinstance(loaded, type) and issubclass(loaded, base)):
            raise ConfigError(f"{_describe(point)} is no subclass of {base.__module__}.{base.__name__}")
        yield loaded


def _describe(point: EntryPoint) -> str:
    package = f"{point.dist.name} {point.dist.version}: " if point.dist else ""
    return f"{package}the entry point {point.group}:{point.name} = {point.value}"
