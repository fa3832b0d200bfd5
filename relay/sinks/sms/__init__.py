"""Text messages: every gateway is one file. Third parties add theirs by an entry point in `amo_relay.sms`."""

from importlib.metadata import entry_points

from relay.sinks.sms.gateway import Gateway
from relay.sinks.sms.http_gateway import HttpGateway
from relay.sinks.sms.sink import SmsSink, sink_of
from relay.sinks.sms.smsc import Smsc
from relay.sinks.sms.smsru import Smsru


def _gateways() -> list[type[Gateway]]:
    installed: list[type[Gateway]] = [point.load() for point in entry_points(group="amo_relay.sms")]
    return [*installed, Smsc, Smsru, HttpGateway]


SINKS: list[type[SmsSink]] = [sink_of(gateway) for gateway in _gateways()]
"""A type of sink for every gateway. Ours win over an installed one of the same name."""
