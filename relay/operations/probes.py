"""Ask sinks by a call that is free and changes nothing whether key, money and settings are right."""

from collections.abc import Iterable

import msgspec

from relay.masking import mask_secrets
from relay.model import Record
from relay.sinks.base import ProbeResult, Sink
from relay.sinks.tools import Tools


class ProbedSink(Record):
    """The answer of a sink to its free call. `ok` None: it has no such call."""

    sink: str
    type: str
    ok: bool | None
    message: str = msgspec.field(name="said")


async def probe_sinks(sinks: Iterable[Sink], tools: Tools) -> list[ProbedSink]:
    """Ask each sink. Raises StoreUnavailable."""
    return [_probed(sink, await sink.probe(tools.of(sink.asker, sink.proxy))) for sink in sinks]


def _probed(sink: Sink, probe: ProbeResult | None) -> ProbedSink:
    ok, answer = (probe.ok, probe.message) if probe else (None, "it has no free call")
    message = "; ".join(filter(None, (answer, sink.remark)))
    return ProbedSink(sink=sink.name, type=sink.type, ok=ok, message=mask_secrets(message, sink.hidden_anywhere))
