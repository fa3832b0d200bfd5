"""Notice that something changed: one look at the store a second for all who have a page open, none for nobody."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.store.reader import Reader
from relay.store.store import Store
from relay.web.admin.strip import Strip, read_strip

LOOK_SECONDS: Final = 1.0
AWAY: Final = "away"


class Pulse:
    """The strip as it was within the last second, and a version that changes with whatever pages show."""

    def __init__(
        self, reader: Reader, store: Store, live: LiveConfig, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader, self._store, self._live, self._clock = reader, store, live, clock
        self._strip: Strip | None = None
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._version = ""
        self._changed = asyncio.Event()
        self._viewers = 0
        self._watcher: asyncio.Task[None] | None = None

    async def strip(self) -> Strip:
        """Return the numbers of the strip, a second old at most. Raises StoreUnavailable."""
        async with self._reading:
            if self._strip is None or self._clock() - self._read_at >= LOOK_SECONDS:
                self._strip = await read_strip(self._reader)
                self._read_at = self._clock()
            return self._strip

    @contextlib.contextmanager
    def viewed(self) -> Iterator[None]:
        """Keep an eye on the store while somebody looks."""
        self._viewers += 1
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._viewers -= 1

    async def wait_for_change(self, version: str, seconds: float) -> str:
        """Return the version as soon as it is another one, or after so many seconds. AWAY: the store does not answer.

        Only within `viewed`.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._version in ("", version):
                    await self._changed.wait()
        return self._version

    async def _watch(self) -> None:
        try:
            while self._viewers:
                version = await self._look()
                if version != self._version:
                    self._version = version
                    self._changed.set()
                    self._changed = asyncio.Event()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._watcher = None

    async def _look(self) -> str:
        try:
            counters, strip = await self._reader.counters(), await self.strip()
            acts = await self._store.acts.audit(1)
        except StoreUnavailable:
            return AWAY
        seen = (self._live.version, strip.numbers, sorted(counters.items()), [one.id for one in acts])
        return format(hash(repr(seen)), "x")
