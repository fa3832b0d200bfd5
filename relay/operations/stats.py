"""Measure how the relay stands: counts, rates, latencies, and the state of every sink."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from relay.model import Record
from relay.store.fields import Counter
from relay.store.histograms import ATTEMPT, BUCKETS, END_TO_END, bucket_counts
from relay.store.queues import AccountState, SinkState
from relay.store.reader import Reader

Counters: TypeAlias = Mapping[tuple[str, ...], int]

_COUNTED = (Counter.RECEIPT, Counter.EVENT, Counter.DELIVERY, Counter.ATTEMPT)


class Latency(Record):
    """Milliseconds, estimated from histogram buckets. None where nothing was counted."""

    p50: int | None
    p99: int | None


class SinkStats(Record):
    """The state of a sink, and how long its attempts and whole deliveries take."""

    state: SinkState
    attempt: Latency
    end_to_end: Latency


class Stats(Record):
    """Everything that is counted, at a time of the store's clock in epoch milliseconds."""

    at: int
    workers: int  # that live
    inbox: tuple[int, int]  # waiting, being routed
    jobs: tuple[int, int]  # waiting, being done
    accounts: Sequence[AccountState]  # of which look-ups wait
    counts: Mapping[str, int]
    rates: Mapping[str, float]  # per second
    sinks: Sequence[SinkStats]


async def measure_stats(reader: Reader, seconds: float) -> Stats:
    """Read all counts, and measure rates over so many seconds. Raises StoreUnavailable."""
    before = await reader.counters()
    await asyncio.sleep(seconds)
    after = await reader.counters()
    return Stats(
        at=await reader.now(),
        workers=await reader.workers(),
        inbox=await reader.inbox(),
        jobs=await reader.jobs(),
        accounts=await reader.accounts(),
        counts={" ".join(name): count for name, count in sorted(after.items()) if name[0] in _COUNTED},
        rates=rates(before, after, seconds),
        sinks=[
            SinkStats(
                state=sink, attempt=latency(after, ATTEMPT, sink.name), end_to_end=latency(after, END_TO_END, sink.name)
            )
            for sink in await reader.sinks()
        ],
    )


def rates(before: Counters, after: Counters, seconds: float) -> dict[str, float]:
    """Return the receipts, attempts and delivered deliveries per second between two readings of the counters."""

    def rate(kind: str, last: Sequence[str] | None) -> float:
        names = [name for name in after if name[0] == kind and (last is None or name[-1] in last)]
        return round(sum(after[name] - before.get(name, 0) for name in names) / seconds, 1)

    return {
        "receipts": rate(Counter.RECEIPT, ("accepted", "duplicate")),
        "attempts": rate(Counter.ATTEMPT, None),
        "delivered": rate(Counter.DELIVERY, ("delivered",)),
    }


def latency(counters: Counters, measure: str, sink: str) -> Latency:
    """Estimate a sink's latency, of one of the measures ATTEMPT and END_TO_END."""
    counts = bucket_counts(counters, measure, sink)
    return Latency(p50=quantile(counts, 0.5), p99=quantile(counts, 0.99))


def quantile(counts: Sequence[int], q: float) -> int | None:
    """Estimate a quantile in milliseconds from counts per bucket, which are taken as spread evenly over the bucket.

    The last bucket has no upper end: a quantile in it is its lower end.
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
