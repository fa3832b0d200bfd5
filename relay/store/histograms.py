"""Count durations in buckets, in the store, so that every web process can report all of them."""

from bisect import bisect_left
from collections.abc import Mapping

# Upper ends in seconds: from what a sink's answer takes to what a hook takes to arrive while a sink is down for days.
# Each is at most two and a half times the one before it, so no percentile is off by more than that.
BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0),
    *(60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0),
    *(3600.0, 7200.0, 14400.0, 28800.0, 43200.0, 86400.0, 172800.0, 259200.0),
)
# By their ends: old counts stay right if BUCKETS change.
_NAMES = (*(str(round(end * 1000)) for end in BUCKETS), "inf")
ATTEMPT, END_TO_END = "took", "e2e"  # of one attempt; from the hook's arrival to its delivery


def bucket_counts(counters: Mapping[tuple[str, ...], int], measure: str, sink: str) -> list[int]:
    """Return how many observations fell into each bucket, and last how many beyond them all."""
    return [counters.get((measure, sink, end), 0) for end in _NAMES]


class Histogram:
    """Observations of one measure of one sink, counted until a script adds them to the store's counters."""

    def __init__(self, measure: str, sink: str) -> None:
        self._measure, self._sink = measure, sink
        self._counts = [0] * len(_NAMES)
        self._ms = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self._ms += seconds * 1000

    def take(self) -> dict[str, int]:
        """Return what was counted since the last call: by the counters' names, and the sum in milliseconds."""
        counts, self._counts = self._counts, [0] * len(_NAMES)
        ms = int(self._ms)
        self._ms -= ms  # what is less than a millisecond counts with the next: else many short ones would be nothing
        # Names are made here: kept by every drainer they would be half of what a thousand subscribers cost a worker.
        counted = {f"{self._measure}|{self._sink}|{end}": n for end, n in zip(_NAMES, counts, strict=True) if n}
        return {**counted, f"{self._measure}_ms|{self._sink}": ms} if counted else {}
