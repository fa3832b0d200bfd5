"""Format what became of a sink's gate. Pure."""

from collections.abc import Iterator

from relay.cli.display.stats import format_gate
from relay.operations.gates import SinkStory
from relay.store.gate import GateChange
from relay.timefmt import format_time


def format_sink_story(story: SinkStory, now: int) -> Iterator[str]:
    """Format the state of a sink and its gate's changes in lines, oldest first."""
    state = story.state
    yield f"sink {state.name} ({state.type})"
    yield f"  {state.waiting} waiting, {state.in_flight} in flight, {state.held} held, {state.dead} dead"
    if state.put_off:
        most = f"it has {state.max_pending} pending, as many as it may (max_pending)"
        yield f"  {state.put_off} put off until it has room: {most}; their hooks are kept"
    yield f"  gate {format_gate(state.gate, now)}"
    yield from (f"  {_format_change(change)}" for change in story.history)


def _format_change(change: GateChange) -> str:
    route = f" (route {change.route})" if change.route else ""
    by = f" by {change.by}" if change.by else ""
    times = f", {change.times} times since {format_time(change.first_at)}" if change.times > 1 else ""
    cause = f": {change.cause}" if change.cause else ""
    return f"{format_time(change.at)}  {change.change}{route}{by}{times}{cause}"
