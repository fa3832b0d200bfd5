"""`relay stats`: counts, rates, latencies, and how the sinks stand."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, TypeAlias

import typer

from relay.cli import options
from relay.cli.context import with_reader
from relay.cli.output import print_json, print_lines, print_table
from relay.cli.timefmt import format_duration, format_time
from relay.model import Record
from relay.store.histograms import ATTEMPT, BUCKETS, END_TO_END, bucket_counts
from relay.store.reader import Reader
from relay.store.stored import SinkState

Counters: TypeAlias = Mapping[tuple[str, ...], int]

SINK_COLUMNS = (
    *("sink", "type", "waiting", "in flight", "held", "dead", "oldest due"),
    *("attempt p50", "p99", "end to end p50", "p99", "gate"),
)
COUNTED = ("receipt", "event", "delivery", "attempt")


class Latency(Record):
    """Milliseconds, estimated within the buckets that were counted. None: nothing was."""

    p50: int | None
    p99: int | None


class SinkStats(Record):
    """How a sink stands, and how long things take there."""

    state: SinkState
    attempt: Latency
    end_to_end: Latency


class Stats(Record):
    """Everything that is counted."""

    at: int
    inbox: tuple[int, int]  # waiting, being routed
    jobs: tuple[int, int]
    counts: Mapping[str, int]
    rates: Mapping[str, float]  # a second
    sinks: Sequence[SinkStats]


def stats(
    over: Annotated[float, typer.Option(min=0.1, help="Over how many seconds rates are measured.")] = 1.0,
    json: options.Json = False,
) -> None:
    """Show counts, rates, latencies, the oldest due of each sink, and closed gates."""
    found = with_reader(lambda reader: _measure(reader, over))
    if json:
        print_json(found, reveal=True)
        return
    print_lines(_format_stats(found), reveal=True)
    print_table(SINK_COLUMNS, (_row(sink, found.at) for sink in found.sinks), reveal=True)


async def _measure(reader: Reader, over: float) -> Stats:
    before = await reader.counters()
    await asyncio.sleep(over)
    after = await reader.counters()
    return Stats(
        at=await reader.now(),
        inbox=await reader.inbox(),
        jobs=await reader.jobs(),
        counts={" ".join(name): n for name, n in sorted(after.items()) if name[0] in COUNTED},
        rates=rates(before, after, over),
        sinks=[
            SinkStats(
                state=sink, attempt=latency(after, ATTEMPT, sink.name), end_to_end=latency(after, END_TO_END, sink.name)
            )
            for sink in await reader.sinks()
        ],
    )


def rates(before: Counters, after: Counters, seconds: float) -> dict[str, float]:
    """Return how many receipts and attempts there were a second between two counts."""

    def rate(kind: str, last: Sequence[str] | None) -> float:
        names = [name for name in after if name[0] == kind and (last is None or name[-1] in last)]
        return round(sum(after[name] - before.get(name, 0) for name in names) / seconds, 1)

    return {
        "receipts": rate("receipt", ("accepted", "duplicate")),
        "attempts": rate("attempt", None),
        "delivered": rate("delivery", ("delivered",)),
    }


def latency(counters: Counters, measure: str, sink: str) -> Latency:
    """Estimate how long things take at a sink."""
    counts = bucket_counts(counters, measure, sink)
    return Latency(p50=quantile(counts, 0.5), p99=quantile(counts, 0.99))


def quantile(counts: Sequence[int], q: float) -> int | None:
    """Estimate a quantile in milliseconds from counts per bucket, as if those in one were spread evenly over it.

    The bucket beyond the last end has no width: its answer is that end.
    """
    left = q * sum(counts)
    if not left:
        return None
    start = 0.0
    for count, end in zip(counts, BUCKETS, strict=False):
        if count and left <= count:
            return round((start + (end - start) * left / count) * 1000)
        left -= count
        start = end
    return round(start * 1000)


def _format_stats(found: Stats) -> Iterator[str]:
    yield f"inbox: {found.inbox[0]} waiting, {found.inbox[1]} being routed; jobs: {found.jobs[0]} waiting"
    yield ", ".join(f"{name} {rate:g}/s" for name, rate in found.rates.items())
    yield ""
    for name, n in found.counts.items():
        yield f"{n:>10}  {name}"
    yield ""


def _row(sink: SinkStats, now: int) -> tuple[object, ...]:
    state = sink.state
    times = (sink.attempt.p50, sink.attempt.p99, sink.end_to_end.p50, sink.end_to_end.p99)
    return (
        state.name,
        state.type,
        state.waiting,
        state.in_flight,
        state.held,
        state.dead,
        "" if state.oldest_due_ms is None else format_duration(state.oldest_due_ms),
        *("" if time is None else format_duration(time) for time in times),
        gate(state.gate, now),
    )


def gate(fields: Mapping[str, str], now: int) -> str:
    """Return whether a sink's gate is closed, until when and why; and which of its routes are."""
    if "paused" in fields:
        return "paused"
    routes = {name.removeprefix("route:"): int(until) for name, until in fields.items() if name.startswith("route:")}
    closed = [f"{name} closed until {format_time(until)}" for name, until in routes.items() if until > now]
    until = int(fields.get("until", 0))
    whole = f"closed until {format_time(until)}: {fields.get('reason', '')}" if until > now else "open"
    return "; ".join([whole, *closed])
