"""Format counts, rates and the state of the sinks. Pure."""

from collections.abc import Iterator

from relay.masking import mask_people, mask_secrets
from relay.operations.stats import SinkStats, Stats
from relay.store.gate import Gate
from relay.store.outcomes import Outcomes
from relay.store.queues import SinkState
from relay.timefmt import format_duration, format_time

_STATE = ("sink", "type", "waiting", "in flight", "held", "dead", "oldest due", "oldest", "failed, last hour")
STATE_COLUMNS = (*_STATE, "gate")
SINK_COLUMNS = (*_STATE, "attempt p50", "p99", "end to end p50", "p99", "gate")


def format_stats(stats: Stats) -> Iterator[str]:
    """Format the counts and rates in lines."""
    queues = f"inbox: {stats.inbox[0]} waiting, {stats.inbox[1]} being routed; jobs: {stats.jobs[0]} waiting"
    yield f"workers: {stats.workers}; {queues}"
    for account in stats.accounts:
        yield (
            f"look-ups in the account of {account.source}: {account.waiting} waiting, {account.in_flight} in flight, "
            f"failed in the last hour: {format_failures(account.outcomes, account.failing_since) or 'none'}; "
            f"gate {format_gate(account.gate, stats.at)}"
        )
    yield ", ".join(f"{name} {rate:g}/s" for name, rate in stats.rates.items())
    yield ""
    for name, count in stats.counts.items():
        yield f"{count:>10}  {name}"
    yield ""


def sink_row(sink: SinkStats, now: int) -> tuple[object, ...]:
    """Return the table row of a sink, under SINK_COLUMNS."""
    latencies = (sink.attempt.p50, sink.attempt.p99, sink.end_to_end.p50, sink.end_to_end.p99)
    *state, gate = state_row(sink.state, now)
    return (*state, *("" if ms is None else format_duration(ms) for ms in latencies), gate)


def state_row(state: SinkState, now: int) -> tuple[object, ...]:
    """Return the table row of a sink without its latencies, under STATE_COLUMNS."""
    looking_up = f" ({state.looking_up} for a look-up)" if state.looking_up else ""
    ordered = f" ({state.ordered} for their turn)" if state.ordered else ""
    put_off = f", {state.put_off} put off" if state.put_off else ""
    return (
        state.name,
        state.type,
        f"{state.waiting}{looking_up}{ordered}{put_off}",
        state.in_flight,
        state.held,
        state.dead,
        "" if state.oldest_due_ms is None else format_duration(state.oldest_due_ms),
        "" if state.oldest_pending_ms is None else format_duration(state.oldest_pending_ms),
        format_failures(state.outcomes, state.failing_since),
        format_gate(state.gate, now),
    )


def format_failures(outcomes: Outcomes, failing_since: int | None) -> str:
    """Format the share of attempts that failed in the last hour, and since when nothing at all succeeds."""
    since = f", all since {format_time(failing_since)}" if failing_since is not None else ""
    if not outcomes.attempts:
        return since.removeprefix(", ")
    return f"{outcomes.share:.0%} of {outcomes.attempts}{since}"


def format_gate(gate: Gate, now: int) -> str:
    """Format a sink's gate: open, paused, or closed until when and why; then the routes that are closed alone."""
    if gate.paused:
        return _format_pause(gate)
    until = gate.closed_until(now)
    if until is None and gate.breaker:
        return f"closed, tried now: {mask_people(mask_secrets(gate.reason))}"
    whole = f"closed until {format_time(until)}: {mask_people(mask_secrets(gate.reason))}" if until else "open"
    routes = [f"{name} closed until {format_time(end)}" for name, end in gate.closed_routes(now).items()]
    return "; ".join([whole, *routes])


def _format_pause(gate: Gate) -> str:
    since = f" since {format_time(gate.paused_since)}" if gate.paused_since is not None else ""
    until = f" until {format_time(gate.paused_until)}" if gate.paused_until is not None else ""
    pause = mask_people(mask_secrets(gate.describe_pause()))
    why = f" {pause}" if gate.paused_by else f": {pause}" if pause else ""
    return f"paused{since}{until}{why}"
