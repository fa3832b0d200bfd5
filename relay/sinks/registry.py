"""The types of sinks there are: the built-in ones and those that installed packages add (docs/contributing.md)."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from relay.config.config import Config
from relay.errors import ConfigError
from relay.sinks.base import Sink

SINKS: Final[Mapping[str, str]] = {
    "apprise": "relay.sinks.apprise.sink:AppriseSink",
    "email": "relay.sinks.email.sink:EmailSink",
    "http": "relay.sinks.http.sink:HttpSink",
    "log": "relay.sinks.log.sink:LogSink",
    "moysklad": "relay.sinks.moysklad.sink:MoySkladSink",
    "telegram": "relay.sinks.telegram.sink:TelegramSink",
    "unisender": "relay.sinks.unisender.sink:UnisenderSink",
}
GATEWAYS: Final[Mapping[str, str]] = {
    "sms": "relay.sinks.sms.http_gateway:HttpGateway",
    "smsc": "relay.sinks.sms.smsc:Smsc",
    "smsru": "relay.sinks.sms.smsru:Smsru",
}
"""Each becomes a sink of its own for text messages."""

SINKS_GROUP = "amo_relay.sinks"
GATEWAYS_GROUP = "amo_relay.sms"


class _SinkTypes(Mapping[str, type[Sink]]):
    """Sinks by type. A built-in one is imported when it is first asked for: few of them are in one file."""

    def __init__(self, installed: Mapping[str, type[Sink]]) -> None:
        self._loaded = {name: sink for name, sink in installed.items() if name not in SINKS.keys() | GATEWAYS.keys()}
        self._names = (*self._loaded, *GATEWAYS, *SINKS)

    def __getitem__(self, name: str) -> type[Sink]:
        if name not in self._loaded:
            self._loaded[name] = _of_gateway(_load(GATEWAYS[name])) if name in GATEWAYS else _load(SINKS[name])
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@cache
def sink_types() -> Mapping[str, type[Sink]]:
    """Return the sinks by the `type` of the YAML. Raises ConfigError where an installed one cannot be loaded.

    A built-in sink wins over an installed one of the same type.
    """
    sinks = [*_installed(SINKS_GROUP, Sink), *map(_of_gateway, _installed_gateways())]
    return _SinkTypes({sink.type: sink for sink in sinks})


def text_message_types() -> frozenset[str]:
    """Return the types of sinks that send text messages. None is imported."""
    return frozenset([*GATEWAYS, *(point.name for point in entry_points(group=GATEWAYS_GROUP))])


def make_sinks(config: Config) -> dict[str, Sink]:
    """Return the sinks of a configuration, by name."""
    return {name: sink_types()[settings.type](name, settings) for name, settings in config.sinks.items()}


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _of_gateway(gateway: Any) -> type[Sink]:
    from relay.sinks.sms.sink import gateway_sink  # with all that text messages need

    return gateway_sink(gateway)


def _installed_gateways() -> Iterator[Any]:
    if entry_points(group=GATEWAYS_GROUP):
        from relay.sinks.sms.gateway import Gateway

        yield from _installed(GATEWAYS_GROUP, Gateway)


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
