"""Forecast when the store is full, by the hourly samples of what it has used. Pure."""

from collections.abc import Sequence
from typing import Final

from relay.model import Record
from relay.store.health import FULL_AT, MemorySample, MemoryUse

MIN_HISTORY_MS: Final = 6 * 3_600_000  # a morning says nothing of a day, but something of a store that runs full
YEAR_MS: Final = 365 * 86_400_000
_DROP: Final = 0.8  # of what was used: after such a fall the samples before it say nothing of what grows now
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000


class Forecast(Record):
    """By how many samples' time it was made, and in how many milliseconds the store is full; None: it does not grow."""

    history_ms: int
    full_in_ms: int | None = None

    @property
    def enough(self) -> bool:
        """Whether there is history enough to say anything."""
        return self.history_ms >= MIN_HISTORY_MS

    def describe(self) -> str:
        """Say it in words that follow how full the store is."""
        if not self.enough:
            hours = self.history_ms // _HOUR_MS
            return f"no forecast yet: it takes {MIN_HISTORY_MS // _HOUR_MS} hours of samples, there are {hours}"
        if self.full_in_ms is None:
            return "it does not grow"
        if self.full_in_ms > YEAR_MS:
            return "not full within a year at this rate"
        if self.full_in_ms < 2 * _DAY_MS:
            return f"full in about {_count(self.full_in_ms / _HOUR_MS, 'hour')} at this rate"
        return f"full in about {_count(self.full_in_ms / _DAY_MS, 'day')} at this rate"


def _count(number: float, unit: str) -> str:
    whole = max(round(number), 1)
    return f"{whole} {unit}{'' if whole == 1 else 's'}"


def forecast(samples: Sequence[MemorySample], memory: MemoryUse, now: int) -> Forecast:
    """Forecast when hooks are refused, from samples (the newest first) and what is used now.

    The rate is that of the line through all samples since the last fall.
    """
    points = _since_last_fall([MemorySample(at=now, used=memory.used), *samples])
    history_ms = points[0].at - points[-1].at
    if history_ms < MIN_HISTORY_MS:
        return Forecast(history_ms=history_ms)
    rate = _slope(points)
    if rate <= 0:
        return Forecast(history_ms=history_ms)
    return Forecast(history_ms=history_ms, full_in_ms=max(round((memory.limit * FULL_AT - memory.used) / rate), 0))


def _since_last_fall(points: Sequence[MemorySample]) -> Sequence[MemorySample]:
    for index in range(1, len(points)):
        later, earlier = points[index - 1], points[index]
        if later.used < earlier.used * _DROP or later.at <= earlier.at:
            return points[:index]
    return points


def _slope(points: Sequence[MemorySample]) -> float:
    """Return the slope of the line that fits best (least squares), in bytes a millisecond."""
    middle_at = sum(point.at for point in points) / len(points)
    middle_used = sum(point.used for point in points) / len(points)
    spread = sum((point.at - middle_at) ** 2 for point in points)
    return sum((point.at - middle_at) * (point.used - middle_used) for point in points) / spread
