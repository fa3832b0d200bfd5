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


def observe(counts: dict[str, int], measure: str, sink: str, seconds: float) -> None:
    """Add one observation to counters that a script will add up: its bucket by number, and the sum in milliseconds."""
    bucket = f"{measure}|{sink}|{bisect_left(BUCKETS, seconds)}"
    total = f"{measure}_ms|{sink}"
    counts[bucket] = counts.get(bucket, 0) + 1
    counts[total] = counts.get(total, 0) + round(seconds * 1000)
