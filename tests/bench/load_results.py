"""What a contender did with so many hooks a second, and how the relay compares. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.bench.store_costs import StoreCosts

COMPARED = ("p50_ms", "p99_ms", "cpu_ms")


class Load(NamedTuple):
    """So many hooks, so many a second."""

    per_second: int
    hooks: int


class SentHook(NamedTuple):
    """One POST: by its lead, with its times by the clock that all processes share. Status 0: no answer in time."""

    lead: int
    due: float
    began: float
    status: int

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300


class LoadResult(NamedTuple):
    """What was seen in one round."""

    taken: float  # the share that was answered well within two seconds
    p50_ms: float | None  # from the begin of its POST to its arrival
    p99_ms: float | None
    cpu_ms: float  # of all processes, for each that arrived
    per_second: float  # arrived, from the first POST to the last arrival
    synced_writes: float
    commands: float
    scripts: float
    sender_late_ms: float  # p99: how much later than its time a POST began


def summarise(
    sent: Sequence[SentHook], arrived: Mapping[int, float], cpu_seconds: float, costs: StoreCosts
) -> LoadResult:
    """Compute a round's figures. A hook that did not arrive has no latency, and what it cost falls to the others."""
    took = sorted((arrived[hook.lead] - hook.began) * 1000 for hook in sent if hook.lead in arrived)
    count, first = max(len(took), 1), min(hook.began for hook in sent)
    last = max((arrived[hook.lead] for hook in sent if hook.lead in arrived), default=first)
    return LoadResult(
        taken=sum(hook.taken for hook in sent) / len(sent),
        p50_ms=percentile(took, 0.5),
        p99_ms=percentile(took, 0.99),
        cpu_ms=cpu_seconds * 1000 / count,
        per_second=len(took) / (last - first) if took else 0.0,
        synced_writes=costs.synced_writes / count,
        commands=costs.commands / count,
        scripts=costs.scripts / count,
        sender_late_ms=percentile(sorted((hook.began - hook.due) * 1000 for hook in sent), 0.99) or 0.0,
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the value below which so much of them is: of few, the 99th percentile is the greatest."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else None


def medians(rounds: Sequence[LoadResult]) -> dict[str, object]:
    """Return the medians, and each round."""
    middle = {name: _median([getattr(one, name) for one in rounds]) for name in LoadResult._fields}
    return {**middle, "each_round": [{k: _rounded(v) for k, v in one._asdict().items()} for one in rounds]}


def compare(ours: Sequence[LoadResult], theirs: Sequence[LoadResult]) -> dict[str, float | None]:
    """Return how many times as much we need. Round by round, as machines drift."""
    pairs = list(zip(ours, theirs, strict=True))
    return {name: _median([_ratio(getattr(a, name), getattr(b, name)) for a, b in pairs]) for name in COMPARED}


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours is not None and theirs else None


def _median(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return _rounded(statistics.median(there)) if there else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
