"""Find fields that have become empty more often than they used to be. Pure.

The share of each day is compared with the median of the days before. What is told has to hold on every later day, to be
more than nearly all earlier days had, and to be no accident of few events.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from relay.model import Record

BASE_DAYS: Final = 3  # to compare with, at least
BASE_EVENTS: Final = 50  # in these
DAY_EVENTS: Final = 5  # of a day that counts
EVENTS: Final = 20  # since it rose, at least
RISE: Final = 0.1  # of the share, at least: less matters to nobody
DEVIATIONS: Final = 4.0  # a chance of one in thirty thousand for a field that is as it was
_FLOOR: Final = 0.02  # the share that is taken for usual at least: never seen is not never


class DayShare(Record):
    """How many events of a day could have had a field, and how many had none. `day`: 2026-11-29."""

    day: str
    seen: int
    empty: int

    @property
    def share(self) -> float:
        """Return which part had none."""
        return self.empty / self.seen


class Rise(Record):
    """Since when a field is empty more often, in which part of how many events, and in which it usually is."""

    day: str
    share: float
    events: int
    usual: float


def find_rise(days: Sequence[DayShare]) -> Rise | None:
    """Return since when a field is empty more often; None where it is not. `days`: in order."""
    counted = [day for day in days if day.seen >= DAY_EVENTS]
    for start in range(BASE_DAYS, len(counted)):
        if found := _compare(counted[:start], counted[start:]):
            return found
    return None


def _compare(base: Sequence[DayShare], recent: Sequence[DayShare]) -> Rise | None:
    usual = median(day.share for day in base)
    seldom = sorted(day.share for day in base)[-2]  # one bad day before hides nothing, weekends that are so do
    events, seen = sum(day.seen for day in recent), sum(day.seen for day in base)
    share = sum(day.empty for day in recent) / events
    if events < EVENTS or seen < BASE_EVENTS or any(day.share <= max(usual + RISE, seldom) for day in recent):
        return None
    expected = max(usual, _FLOOR)
    if share - expected <= DEVIATIONS * (expected * (1 - expected) / events) ** 0.5:
        return None
    return Rise(day=recent[0].day, share=share, events=events, usual=usual)


def day_shares(days: Mapping[str, tuple[int, int]]) -> list[DayShare]:
    """Return the counts of days, seen and empty, in order."""
    return [DayShare(day=day, seen=seen, empty=empty) for day, (seen, empty) in sorted(days.items()) if seen]
