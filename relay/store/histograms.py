"""Count how long things take, in the store, so that every web process can tell the whole."""

from bisect import bisect_left
from collections.abc import Mapping

# Seconds, upper ends: what a sink's answer takes, and what a hook takes to get through while a sink is down for days.
# Each is at most two and a half times the one before it: by more than that no percentile is off.
BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0),
    *(60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0),
    *(3600.0, 7200.0, 14400.0, 28800.0, 43200.0, 86400.0, 172800.0, 259200.0),
)
_NAMES = (*(str(round(end * 1000)) for end in BUCKETS), "inf")  # by their ends: other buckets never mean other times
ATTEMPT, END_TO_END = "took", "e2e"  # of one attempt; from the hook's arrival to its delivery


def bucket_counts(counters: Mapping[tuple[str, ...], int], measure: str, sink: str) -> list[int]:
    """Pick from all counters how many observations fell into each bucket, and last how many beyond them."""
    return [counters.get((measure, sink, end), 0) for end in _NAMES]


class Histogram:
    """Observations of one measure of one sink, counted until they are taken for a script to add up."""

    def __init__(self, measure: str, sink: str) -> None:
        self._names = [f"{measure}|{sink}|{end}" for end in _NAMES]
        self._total = f"{measure}_ms|{sink}"
        self._counts = [0] * len(self._names)
        self._ms = 0.0

    def observe(self, seconds: float) -> None:
        """Count how long something took."""
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self._ms += seconds * 1000

    def take(self) -> dict[str, int]:
        """Return the counters that rose, by name: buckets by their ends, and the sum in milliseconds. Begin anew."""
        counts, self._counts = self._counts, [0] * len(self._names)
        ms, self._ms = round(self._ms), 0.0
        rose = {name: n for name, n in zip(self._names, counts, strict=True) if n}
        return {**rose, self._total: ms} if rose else {}
