"""Notice that something changed: one look at the store a second for all who have a page open, none for nobody."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.model import Record
from relay.operations.problems import Problem, count_open, read_problems
from relay.operations.strip import StripNumber, read_strip
from relay.store.minutes import MINUTE_MS
from relay.store.reader import Reader
from relay.store.store import Store

LOOK_SECONDS: Final = 1.0
DIAGNOSE_SECONDS: Final = 3.0
AWAY: Final = "away"


class Overview(Record):
    """What every page shows, at a time of the store's clock: the open problems, and the numbers of the strip."""

    at: int
    problems: int
    numbers: Sequence[StripNumber]


class Pulse:
    """The overview as it was within the last second, and a version that changes with whatever pages show."""

    def __init__(
        self, reader: Reader, store: Store, live: LiveConfig, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader, self._store, self._live, self._clock = reader, store, live, clock
        self._overview: Overview | None = None
        self._problems: Sequence[Problem] = ()
        self._read_at = self._diagnosed_at = float("-inf")
        self._reading = asyncio.Lock()
        self._version = ""
        self._changed = asyncio.Event()
        self._viewers = 0
        self._watcher: asyncio.Task[None] | None = None

    async def overview(self) -> Overview:
        """Return the overview, a second old at most; its problems three. Raises StoreUnavailable."""
        async with self._reading:
            if self._overview is None or self._clock() - self._read_at >= LOOK_SECONDS:
                self._overview = await self._read()
                self._read_at = self._clock()
            return self._overview

    async def problems(self) -> Sequence[Problem]:
        """Return the problems, three seconds old at most. Raises StoreUnavailable."""
        await self.overview()
        return self._problems

    def forget_problems(self) -> None:
        """Read them anew for whoever asks next: something was done about one."""
        self._read_at = self._diagnosed_at = float("-inf")

    async def _read(self) -> Overview:
        if self._clock() - self._diagnosed_at >= DIAGNOSE_SECONDS:
            self._problems = await read_problems(self._reader, self._live.config, self._live.error)
            self._diagnosed_at = self._clock()
        at, numbers = await self._reader.now(), await read_strip(self._reader, self._problems)
        return Overview(at=at, problems=count_open(self._problems), numbers=numbers)

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
            counters, overview = await self._reader.counters(), await self.overview()
            acts = await self._store.acts.audit(1)
        except StoreUnavailable:
            return AWAY
        problems = [(one.id, one.state, one.count) for one in self._problems]
        charts = overview.at // MINUTE_MS
        seen = (
            self._live.version,
            overview.numbers,
            sorted(counters.items()),
            [one.id for one in acts],
            problems,
            charts,
        )
        return format(hash(repr(seen)), "x")
