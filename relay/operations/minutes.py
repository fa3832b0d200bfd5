"""Receipts and deliveries a minute, for charts: in all, by source and by sink, and where the configuration changed."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import pairwise

from msgspec.structs import replace

from relay.model import Record
from relay.store.minutes import MINUTE_MS, MinuteRow, Minutes
from relay.store.reader import Reader


class ConfigMark(Record):
    """A new configuration: in which of the minutes it came, and its version."""

    index: int
    at: int
    version: str


class MinuteNumbers(Record):
    """Numbers a minute, the oldest first; None where nobody sampled. `since`: when the first minute began."""

    since: int
    receipts: Sequence[float | None]
    delivered: Sequence[float | None]
    failed: Sequence[float | None]
    by_source: Mapping[str, Sequence[float | None]]  # receipts
    by_sink: Mapping[str, Sequence[float | None]]  # delivered
    failed_by_sink: Mapping[str, Sequence[float | None]]
    marks: Sequence[ConfigMark]


async def read_minutes(reader: Reader, count: int = 60) -> MinuteNumbers:
    """Read the last whole minutes. Raises StoreUnavailable."""
    last = await reader.now() // MINUTE_MS - 1
    found = [
        arrange_minutes(await Minutes(one.client, one.namespace).read(count + 1), last, count)
        for one in reader.each.values()
    ]
    return reduce(_add, found)


def _add(first: MinuteNumbers, second: MinuteNumbers) -> MinuteNumbers:
    """Return the numbers of two shards together. Configurations change in both at once."""

    def by_name(kind: str) -> dict[str, Sequence[float | None]]:
        ours, theirs = getattr(first, kind), getattr(second, kind)
        none: Sequence[float | None] = [None] * len(first.receipts)
        return {name: _sum(ours.get(name, none), theirs.get(name, none)) for name in sorted({*ours, *theirs})}

    return replace(
        first,
        receipts=_sum(first.receipts, second.receipts),
        delivered=_sum(first.delivered, second.delivered),
        failed=_sum(first.failed, second.failed),
        by_source=by_name("by_source"),
        by_sink=by_name("by_sink"),
        failed_by_sink=by_name("failed_by_sink"),
    )


def _sum(first: Sequence[float | None], second: Sequence[float | None]) -> list[float | None]:
    """Return two lines of numbers added up; None where neither was sampled."""
    pairs = zip(first, second, strict=True)
    return [None if one is None and other is None else (one or 0) + (other or 0) for one, other in pairs]


def arrange_minutes(rows: Sequence[MinuteRow], last: int, count: int) -> MinuteNumbers:
    """Arrange samples, newest first, into so many minutes up to `last`; one over several is spread evenly. Pure."""
    first = last - count + 1
    totals = {
        kind: _series([(row, {"": float(sum(getattr(row.counts, kind).values()))}) for row in rows], first, count)
        for kind in ("receipts", "delivered", "failed")
    }

    def by_name(kind: str) -> dict[str, list[float | None]]:
        names = sorted({name for row in rows for name in getattr(row.counts, kind)})
        counted = [(row, {name: float(getattr(row.counts, kind).get(name, 0)) for name in names}) for row in rows]
        return _series(counted, first, count)

    empty: list[float | None] = [None] * count
    return MinuteNumbers(
        since=first * MINUTE_MS,
        receipts=totals["receipts"].get("", empty),
        delivered=totals["delivered"].get("", empty),
        failed=totals["failed"].get("", empty),
        by_source=by_name("receipts"),
        by_sink=by_name("delivered"),
        failed_by_sink=by_name("failed"),
        marks=_marks(rows, first, count),
    )


def _series(
    counted: Iterable[tuple[MinuteRow, Mapping[str, float]]], first: int, count: int
) -> dict[str, list[float | None]]:
    series: dict[str, list[float | None]] = {}
    for row, numbers in counted:
        for name, number in numbers.items():
            line = series.setdefault(name, [None] * count)
            for minute in range(max(row.minute - row.over + 1, first), row.minute + 1):
                if 0 <= minute - first < count:
                    line[minute - first] = number / row.over
    return series


def _marks(rows: Sequence[MinuteRow], first: int, count: int) -> list[ConfigMark]:
    found = []
    for newer, older in pairwise(rows):
        if newer.config != older.config and 0 <= newer.minute - first < count:
            index = newer.minute - first
            found.append(ConfigMark(index=index, at=newer.minute * MINUTE_MS, version=newer.config))
    return found[::-1]
