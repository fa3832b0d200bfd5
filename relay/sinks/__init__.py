"""Everything that deliveries can be sent to. Third parties add theirs by an entry point in `amo_relay.sinks`."""

from importlib.metadata import entry_points

from relay.sinks.base import Sink
from relay.sinks.http.sink import HttpSink
from relay.sinks.log.sink import LogSink
from relay.sinks.moysklad.sink import MoySkladSink
from relay.sinks.sms import SINKS as SMS
from relay.sinks.unisender.sink import UnisenderSink


def _all() -> list[type[Sink]]:
    installed: list[type[Sink]] = [point.load() for point in entry_points(group="amo_relay.sinks")]
    return [*installed, *SMS, HttpSink, LogSink, MoySkladSink, UnisenderSink]


TYPES: dict[str, type[Sink]] = {sink.type: sink for sink in _all()}
"""The sinks by the `type` of the YAML. Ours win over an installed one of the same name."""
