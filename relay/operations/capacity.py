"""How many processes, and how large a store, a load needs: by what the bench has measured. Pure."""

import math
from collections.abc import Mapping
from typing import Final

from relay.config.config import Config
from relay.model import Record
from relay.operations.bench_figures import DELIVERED_BYTES, DELIVERIES_A_SECOND, HOOKS_A_SECOND, WAITING_BYTES

PEAK: Final = 20  # the busiest second of a day, beside the average one
USED: Final = 0.5  # how much of a process or store is planned for: the rest is for slower machines and for catching up
_DAY_SECONDS: Final = 86_400
_DAY_MS: Final = _DAY_SECONDS * 1000


class Capacity(Record):
    """What a load needs. `finished` are receipts that retention keeps; bytes are those of the store's memory.

    `sinks`: what each sink with a rate can be sent in a day.
    """

    hooks_a_second: float
    deliveries_a_second: float
    web: int
    workers: int
    stores: int
    finished: int
    finished_bytes: int
    waiting_bytes: int
    sinks: Mapping[str, int]

    @property
    def store_bytes(self) -> int:
        """What each store's `maxmemory` must be: hooks are refused at 85 % of it."""
        return math.ceil((self.finished_bytes + self.waiting_bytes) / 0.85 / self.stores)


def plan_capacity(hooks_a_day: int, deliveries_a_hook: float, config: Config) -> Capacity:
    """Return what so many hooks a day need, each with so many deliveries, under a configuration's retention."""
    hooks = hooks_a_day / _DAY_SECONDS * PEAK
    deliveries = hooks * deliveries_a_hook
    finished = min(config.retention.count, math.ceil(hooks_a_day * config.retention.finished / _DAY_MS))
    return Capacity(
        hooks_a_second=hooks,
        deliveries_a_second=deliveries,
        web=_needed(hooks / HOOKS_A_SECOND),
        workers=_needed(deliveries / DELIVERIES_A_SECOND),
        stores=_needed(hooks / HOOKS_A_SECOND + deliveries / DELIVERIES_A_SECOND),
        finished=finished,
        finished_bytes=math.ceil(finished * max(1.0, deliveries_a_hook) * DELIVERED_BYTES),
        waiting_bytes=math.ceil(hooks_a_day * max(1.0, deliveries_a_hook) * WAITING_BYTES),
        sinks={
            name: sink.rate[0] * _DAY_MS // sink.rate[1] for name, sink in config.sinks.items() if sink.rate is not None
        },
    )


def _needed(share: float) -> int:
    """Return how many it takes, by how much of one that is busy all the time would be used."""
    return max(1, math.ceil(share / USED))
