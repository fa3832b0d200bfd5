"""Count how long things take, in the store, so that every web process can tell the whole."""

from bisect import bisect_left

BUCKETS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    20.0,
    60.0,
    600.0,
    3600.0,
    86400.0,
)  # seconds, upper ends
ATTEMPT, END_TO_END = "took", "e2e"  # of one attempt; from the hook's arrival to its delivery


class Timing:
    """Observations of one measure of one sink, counted until they are taken for a script to add up."""

    def __init__(self, measure: str, sink: str) -> None:
        self._names = [f"{measure}|{sink}|{number}" for number in range(len(BUCKETS) + 1)]
        self._total = f"{measure}_ms|{sink}"
        self._counts = [0] * len(self._names)
        self._ms = 0.0

    def observe(self, seconds: float) -> None:
        """Count how long something took."""
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self._ms += seconds * 1000

    def take(self) -> dict[str, int]:
        """Give the counters that rose, by name: buckets by number, and the sum in milliseconds. Begin anew."""
        counts, self._counts = self._counts, [0] * len(self._names)
        ms, self._ms = round(self._ms), 0.0
        rose = {name: n for name, n in zip(self._names, counts, strict=True) if n}
        return {**rose, self._total: ms} if rose else {}
