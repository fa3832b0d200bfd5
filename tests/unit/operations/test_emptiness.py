"""A field that is empty more often is told since the day that it began; what chance or a weekend explains is not."""

import pytest

from relay.operations.emptiness import DayShare, find_rise

USUAL = [(50, 1)] * 5  # events of a day, and how many of them had nothing: 2 %


def days(*counts: tuple[int, int]) -> list[DayShare]:
    return [DayShare(day=f"2026-11-{at + 1:02}", seen=seen, empty=empty) for at, (seen, empty) in enumerate(counts)]


@pytest.mark.parametrize(("counts", "day", "share", "events"), [
    ([*USUAL, (50, 20)], "2026-11-06", 0.4, 50),  # one day, of many events
    ([*USUAL, (25, 10), (25, 10)], "2026-11-06", 0.4, 50),  # several days together
    ([*USUAL, (10, 6), (10, 5), (10, 7)], "2026-11-06", 0.6, 30),  # few a day, and enough in all
    ([*USUAL, (50, 20), (3, 0), (50, 20)], "2026-11-06", 0.4, 100),  # a day of three events says nothing
    ([(50, 0)] * 3 + [(30, 8)], "2026-11-04", 8 / 30, 30),  # it was never empty, in the three days that there are
    ([(50, 1), (50, 40), (50, 1), (50, 1), (50, 20)], "2026-11-05", 0.4, 50),  # one bad day before hides nothing
])  # fmt: skip
def test_it_is_told_since_the_day_that_it_rose(counts, day, share, events):
    found = find_rise(days(*counts))
    assert found is not None
    assert (found.day, found.share, found.events) == (day, pytest.approx(share), events)
    assert found.usual <= 0.02


@pytest.mark.parametrize("counts", [
    [],
    [(50, 1), (50, 20)],  # one day is nothing to compare with
    [*USUAL, (50, 1)],  # as usual
    [*USUAL, (50, 5)],  # a tenth: no rise that matters
    [*USUAL, (4, 4)],  # too few
    [*USUAL, (19, 10)],  # still too few
    [*USUAL, (50, 20), (50, 1)],  # it has ended
    [(5, 0)] * 5 + [(50, 20)],  # nobody knows what is usual: 25 events
    [(50, 50)] * 5 + [(50, 50)],  # always empty: deletes carry no price
    [(50, 30)] * 5 + [(50, 36)],  # 60 % and 72 %, which chance explains
    [*[(50, 5)] * 5, (20, 12), (20, 12), *[(50, 5)] * 5, (20, 12)],  # so it is on each Saturday
])  # fmt: skip
def test_what_is_usual_or_may_be_chance_is_not(counts):
    assert find_rise(days(*counts)) is None
