"""The day that is played has the shape that is assumed, and is the same each time."""

from collections import Counter

import pytest

from tests.bench.growth.traffic import (
    DAY_SECONDS,
    KINDS,
    SHARE_IN_BURSTS,
    TrafficHook,
    busiest,
    by_hour,
    most_in,
    plan_day,
    thin,
)

DAY = plan_day(accounts=150, seed=7, imports=0)


def test_the_same_seed_is_the_same_day_and_another_one_is_another():
    assert plan_day(10, seed=3, imports=1, imported=50) == plan_day(10, seed=3, imports=1, imported=50)
    assert plan_day(10, seed=3, imports=0) != plan_day(10, seed=4, imports=0)


def test_its_hooks_come_in_order_within_the_day_of_all_accounts():
    assert sorted(DAY) == DAY
    assert 0 <= DAY[0].second <= DAY[-1].second < DAY_SECONDS
    assert {hook.account for hook in DAY} == set(range(150))
    assert {hook.kind for hook in DAY} == set(KINDS)


def test_most_of_it_comes_in_working_hours():
    hours = by_hour(DAY)
    assert sum(hours) == len(DAY)
    assert sum(hours[6:19]) > 0.8 * len(DAY)


def test_accounts_differ_in_what_they_send():
    sizes = sorted(Counter(hook.account for hook in DAY).values())
    assert sizes[-1] > 5 * sizes[len(sizes) // 2] > 10 * sizes[0]


def test_about_as_much_comes_in_bursts_as_is_assumed():
    """One that has another of its account within half a second before or after is of a burst, nearly always."""
    times: dict[int, list[float]] = {}
    for hook in DAY:
        times.setdefault(hook.account, []).append(hook.second)
    near = sum(
        any(abs(at - other) < 0.5 for other in (*own[max(n - 1, 0) : n], *own[n + 1 : n + 2]))
        for own in times.values()
        for n, at in enumerate(own)
    )
    assert near / len(DAY) == pytest.approx(SHARE_IN_BURSTS, abs=0.12)


def test_an_import_is_a_hook_for_each_contact_at_an_even_pace_of_one_account():
    hooks = Counter(plan_day(5, seed=1, imports=1, imported=1000))
    hooks.subtract(Counter(plan_day(5, seed=1, imports=0)))
    imported = sorted(+hooks)
    assert len(imported) == 1000
    assert {(hook.account, hook.kind) for hook in imported} == {(imported[0].account, "contact_add")}
    assert imported[-1].second - imported[0].second == pytest.approx(999 / 25)


def test_the_busiest_time_is_found_and_a_thinned_day_keeps_its_shape():
    hooks = [TrafficHook(at, 0, "lead_add") for at in (1, 5.5, 5.7, 6.2, 6.3, 6.9, 40, 41)]
    assert busiest(hooks, 2) == (5.0, hooks[1:6])
    assert (most_in(hooks, 1), most_in(hooks, 10)) == (3, 6)
    assert list(thin(hooks, 3)) == [hooks[0], hooks[3], hooks[6]]
    assert list(thin(hooks, 100)) == hooks
