"""Count and log the hooks that were refused. Anybody can send them, so neither grows with what strangers do."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from relay.errors import StoreUnavailable
from relay.logs import log
from relay.store.store import Store

FLUSH_SECONDS = 1.0  # how often counts are added up in the store, where there are any
WINDOW_SECONDS = 10.0
MAX_LINES = 10  # logged of one reason in a window
MAX_NAME = 60  # characters of a source's name that a stranger made up

UNKNOWN_SOURCE, WRONG_TOKEN, UNKNOWN_PATH = "unknown_source", "wrong_token", "unknown_path"
NOT_A_POST = "not_a_post"
TOO_LARGE, STORE_UNAVAILABLE, OVER_SHARE = "too_large", "store_unavailable", "over_share"


class HookRefusals:
    """What this process refused and has not yet added up in the store. `clock` gives monotonic seconds."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._counts: Counter[tuple[str, str]] = Counter()
        self._windows: dict[str, _Window] = {}

    def add(self, reason: str, source: str, *, known: bool = True, **details: object) -> None:
        """Count a refused hook and log it. A source that is not `known` has no counter of its own."""
        self._counts[source if known else "", reason] += 1
        window = self._windows.get(reason)
        if window is None or self._clock() - window.began >= WINDOW_SECONDS:
            left_out = window.left_out if window else 0
            window = self._windows[reason] = _Window(self._clock())
            if left_out:
                details = {**details, "left_out": left_out}
        if window.lines < MAX_LINES:
            window.lines += 1
            log.warning("hook.refused", source=source[:MAX_NAME], reason=reason, **details)
        else:
            window.left_out += 1

    async def run(self) -> None:
        """Add the counts up in the store for as long as the process lives."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Add the counts up in the store. While it is away they stay here."""
        if not self._counts:
            return
        counts, self._counts = self._counts, Counter()
        try:
            await self._store.count_refused(counts)
        except StoreUnavailable:
            self._counts.update(counts)


class _Window:
    """The log lines of one reason since `began` (monotonic seconds)."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.lines = 0
        self.left_out = 0
