"""Sinks of the JSON API: how they stand, pausing them, letting them go on and asking them."""

from collections.abc import Sequence

from relay.model import Record
from relay.operations.failures import find_failures
from relay.operations.gates import SinkStory, pause_sink, read_sink_story, resume_sink
from relay.operations.outward_calls import open_tools
from relay.operations.probes import ProbedSink, probe_sinks
from relay.operations.sink_detail import find_configured
from relay.store.failures import FailureCause
from relay.store.queues import SinkState
from relay.web.admin.api.operation import ActBody, ApiFailure, Call, Operation, Operations, Said
from relay.web.admin.api.queries import read_end


class Sinks(Record):
    """How all sinks stand."""

    items: Sequence[SinkState]


class Failures(Record):
    """Why deliveries are held or dead, the most frequent cause first."""

    items: Sequence[FailureCause]


class FailuresQuery(Record):
    """Of which sink; empty: of all."""

    sink: str = ""


class PauseBody(ActBody):
    """Why nothing shall leave for a sink, and until when: 2h (from now), or 2026-11-23T14:30; empty: until resumed."""

    until: str = ""


async def list_sinks(call: Call) -> Sinks:
    """Answer how the sinks stand."""
    return Sinks(items=await call.reader.sinks())


async def list_failures(call: Call) -> Failures:
    """Answer why deliveries are held or dead."""
    return Failures(items=await find_failures(call.reader, call.query.sink or None))


async def show_sink(call: Call) -> SinkStory:
    """Answer how a sink stands, and what became of its gate."""
    return await read_sink_story(call.reader, call.part("name"))


async def pause(call: Call) -> Said:
    """Let nothing leave for a sink."""
    if not call.body.why:
        raise ApiFailure(400, "why: say why: whoever sees it waiting is told")
    until = read_end(call.body.until, "until")
    return Said(message=await pause_sink(call.store, call.reader, call.part("name"), call.author, until))


async def resume(call: Call) -> Said:
    """Let deliveries leave for a sink again."""
    return Said(message=await resume_sink(call.store, call.reader, call.part("name"), call.author))


async def probe(call: Call) -> ProbedSink:
    """Ask a sink by its free call."""
    name = call.part("name")
    find_configured(call.live.config, name)
    async with open_tools(call.settings, call.reader.client) as tools:
        return (await probe_sinks([call.live.sinks[name]], tools))[0]


OPERATIONS: Operations = (
    Operation(
        method="GET", path="/sinks", summary="List the sinks.", handler=list_sinks, answer=Sinks, command="sinks list"
    ),
    Operation(
        method="GET", path="/failures", summary="List why deliveries are held or dead, by cause.",
        handler=list_failures, answer=Failures, query=FailuresQuery, command="sinks failures",
    ),
    Operation(
        method="GET", path="/sinks/{name}", summary="Show a sink, and what became of its gate.", handler=show_sink,
        answer=SinkStory, finds=True, command="sinks show",
    ),
    Operation(
        method="POST", path="/sinks/{name}/pause", summary="Let nothing leave for a sink.", handler=pause, answer=Said,
        body=PauseBody, acts=True, command="sinks pause",
    ),
    Operation(
        method="POST", path="/sinks/{name}/resume", summary="Let deliveries leave for a sink again.", handler=resume,
        answer=Said, body=ActBody, acts=True, command="sinks resume",
    ),
    Operation(
        method="POST", path="/sinks/{name}/probe", summary="Ask a sink by its free call. Nothing is delivered.",
        handler=probe, answer=ProbedSink, acts=True, finds=True, command="sinks probe",
    ),
)  # fmt: skip
