"""The store's clock, as a process knows it: the time of its last claim, and what has passed since."""

import time
from weakref import WeakKeyDictionary

from redis.asyncio import Redis


class StoreClock:
    """Every age and wait is taken by this: the machines of workers need not agree on the time.

    Until the store has said the time, it is the machine's own.
    """

    def __init__(self) -> None:
        self._store_ms: int | None = None
        self._at = 0.0  # monotonic seconds

    def note(self, store_ms: int) -> None:
        """Note what the store's clock said just now, in epoch milliseconds."""
        self._store_ms, self._at = store_ms, time.monotonic()

    def ms(self) -> int:
        """Return the time in epoch milliseconds."""
        if self._store_ms is None:
            return time.time_ns() // 1_000_000
        return self._store_ms + round((time.monotonic() - self._at) * 1000)

    def seconds(self) -> float:
        """Return the time in epoch seconds, finer than the store tells it."""
        if self._store_ms is None:
            return time.time()
        return self._store_ms / 1000 + (time.monotonic() - self._at)


_clocks: WeakKeyDictionary[Redis, StoreClock] = WeakKeyDictionary()


def clock_of(client: Redis) -> StoreClock:
    """Return the clock of the store that a client calls."""
    return _clocks.setdefault(client, StoreClock())
