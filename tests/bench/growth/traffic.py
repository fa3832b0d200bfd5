"""A day of many accounts, as they send: by the clock on their wall, in bursts, and with imports. Pure.

What is assumed stands here, by name. Same seed, same day.
"""

import bisect
import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

DAY_SECONDS: Final = 86_400
MEDIAN_HOOKS: Final = 60  # of an account in a day
SPREAD: Final = 1.2  # of the logarithm of that: a few accounts send as much as hundreds of others
SHARE_IN_BURSTS: Final = 0.35  # of the hooks: a salesbot, an action on a list, a stage that is emptied
LONGEST_BURST: Final = 50
BURST_SECONDS: Final = 5.0  # in which a burst comes
IMPORTS: Final = 2
IMPORTED: Final = 50_000  # contacts, each a hook
IMPORT_A_SECOND: Final = 25
ZONES: Final[Mapping[Any, float]] = {
    0: 60,
    2: 12,
    3: 10,
    4: 8,
    5: 4,
    7: 6,
}  # hours east of Moscow: how many accounts of a hundred
HOURS: Final = (1, 1, 1, 1, 1, 2, 4, 8, 25, 60, 85, 95, 80, 70, 85, 95, 90, 75, 45, 20, 10, 6, 3, 2)  # by local hour
KINDS: Final[Mapping[Any, float]] = {
    "lead_update": 35, "lead_status": 17, "lead_won": 3, "lead_add": 10, "contact_update": 15, "contact_add": 10,
    "task_add": 10,
}  # fmt: skip


class TrafficHook(NamedTuple):
    """A hook of the day: when, of which account, and what it says."""

    second: float
    account: int
    kind: str


def plan_day(accounts: int, seed: int = 1, imports: int = IMPORTS, imported: int = IMPORTED) -> list[TrafficHook]:
    """Return the hooks of a day, in their order."""
    chance = random.Random(seed)
    hooks = [hook for account in range(accounts) for hook in _hooks_of(account, chance)]
    for _ in range(imports):
        hooks += _import(chance.randrange(accounts), imported, chance)
    return sorted(hooks)


def _hooks_of(account: int, chance: random.Random) -> Iterable[TrafficHook]:
    zone = _draw(ZONES, chance)
    count = round(chance.lognormvariate(math.log(MEDIAN_HOOKS), SPREAD))
    while count > 0:
        second = _second_of_day(zone, chance)
        # A burst has as many hooks as chance says, so that its share of all hooks is what is assumed.
        burst = chance.randint(2, LONGEST_BURST) if chance.random() < _burst_probability() else 1
        kind = _draw(KINDS, chance)
        for _ in range(min(burst, count)):
            later = chance.uniform(0, BURST_SECONDS) if burst > 1 else 0.0
            yield TrafficHook(
                min(second + later, DAY_SECONDS - 1e-3), account, kind if burst > 1 else _draw(KINDS, chance)
            )
        count -= burst


def _burst_probability() -> float:
    """Return how many of the moments begin a burst, where so large a share of the hooks is to come in bursts."""
    size = (2 + LONGEST_BURST) / 2
    return SHARE_IN_BURSTS / (size * (1 - SHARE_IN_BURSTS) + SHARE_IN_BURSTS)


def _second_of_day(zone: int, chance: random.Random) -> float:
    (hour,) = chance.choices(range(24), HOURS)
    return ((hour - zone) % 24) * 3600 + chance.uniform(0, 3600)


def _import(account: int, count: int, chance: random.Random) -> Iterable[TrafficHook]:
    """Return the hooks of an import, which begins in working hours, however long it then takes."""
    begin = chance.uniform(9, 16) * 3600
    return [TrafficHook(begin + n / IMPORT_A_SECOND, account, "contact_add") for n in range(count)]


def _draw(weights: Mapping[Any, float], chance: random.Random) -> Any:
    (drawn,) = chance.choices(tuple(weights), tuple(weights.values()))
    return drawn


def busiest(hooks: Sequence[TrafficHook], seconds: float) -> tuple[float, Sequence[TrafficHook]]:
    """Return where so many seconds with the most hooks begin, by whole seconds, and the hooks in them."""
    times = [hook.second for hook in hooks]

    def within(begin: float) -> tuple[int, int]:
        return bisect.bisect_left(times, begin), bisect.bisect_left(times, begin + seconds)

    begin = max(sorted({math.floor(at) for at in times}), key=lambda at: within(at)[1] - within(at)[0])
    first, end = within(begin)
    return float(begin), hooks[first:end]


def thin(hooks: Sequence[TrafficHook], most: int) -> Sequence[TrafficHook]:
    """Return at most so many of them, evenly over the day and over all that they are."""
    step = max(math.ceil(len(hooks) / most), 1)
    return hooks[::step]


def by_hour(hooks: Iterable[TrafficHook]) -> list[int]:
    """Count the hooks of each hour."""
    counted = Counter(int(hook.second // 3600) for hook in hooks)
    return [counted[hour] for hour in range(24)]


def most_in(hooks: Sequence[TrafficHook], seconds: int) -> int:
    """Return how many there are in the fullest whole interval of so many seconds."""
    intervals = itertools.groupby(hooks, key=lambda hook: hook.second // seconds)
    return max(len(list(of)) for _, of in intervals)
