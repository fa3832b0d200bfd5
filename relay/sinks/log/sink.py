"""A sink that only logs: for trying out a route before it reaches anybody."""

from collections.abc import Mapping

import msgspec

from relay.logs import log
from relay.model import Delivery, Json, Outcome, Result
from relay.sinks.base import Sink
from relay.sinks.log.settings import LogSettings
from relay.sinks.tools import Tools


class LogSink(Sink):
    """Write one line per delivery. It takes every sink's content keys: trying out a route changes only its `to`."""

    type = "log"
    Settings = LogSettings
    content_keys = {}  # noqa: RUF012  Sink's ClassVar
    takes_all_keys = True

    def __init__(self, name: str, settings: LogSettings) -> None:
        super().__init__(name, settings)
        self._show = settings.show

    def content(self, params: Mapping[str, object]) -> bytes:
        """Store the keys as JSON."""
        return msgspec.json.encode(params, order="deterministic")

    async def send(self, delivery: Delivery, _: Tools) -> Result:
        """Write the line `sink.log`."""
        log.info(
            "sink.log",
            delivery_id=delivery.id,
            event_id=delivery.event_id,
            route=delivery.route,
            sink=delivery.sink,
            **({"content": self.describe(delivery.content)} if self._show else {"sizes": _sizes(delivery.content)}),
        )
        return Result(outcome=Outcome.DELIVERED, reason="logged")

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Show the keys as they are: this sink has no secrets."""
        keys: dict[str, Json] = msgspec.json.decode(content)
        return keys


def _sizes(content: bytes) -> dict[str, int]:
    return {key: len(value) for key, value in msgspec.json.decode(content, type=dict[str, msgspec.Raw]).items()}
