"""Watch the store in the background, so that no hook has to: how full it is, and what it survives."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from relay.accounts.source_health import SourceHealth, examine_source
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.operations.store_admission import StoreAdmission
from relay.store.health import Durability, MemoryUse, StoreLife, check_writable, read_durability, read_memory_use
from relay.store.queues import FILLING
from relay.store.reader import Reader
from relay.store.source_use import read_source_fills
from relay.store.sync import Sync, check_sync

CHECK_SECONDS: Final = 0.5
IDLE_SECONDS: Final = 2.0  # between two looks at a store that does not fill up
FILLS: Final = 0.001  # of its limit, by which it has grown since the last look where it does
DURABILITY_SECONDS: Final = 30.0


class StoreMonitor:
    """The latest known state of the store and of the sources; None or empty where it is not known."""

    def __init__(
        self,
        reader: Reader,
        live: LiveConfig,
        admission: StoreAdmission,
        sync: Sync | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admission = admission
        self._client = reader.client
        self._reader = reader
        self._probe_key = reader.keys.probe
        self._live = live
        self._sync = sync
        self._clock = clock
        self._check_at = self._durability_checked_at = float("-inf")  # monotonic seconds
        self.memory: MemoryUse | None = None
        self.durability: Durability | None = None
        self.life: StoreLife | None = None
        self.sources: dict[str, SourceHealth] = {}
        self.fills: dict[str, float] = {}  # source -> which part of its share of the store it takes
        self.problem: str | None = "not checked yet"

    def full(self) -> bool:
        """Return whether the store is over its headroom mark."""
        return self.memory is not None and self.memory.full

    def over_share(self, source: str) -> bool:
        """Return whether a source takes its whole share of the store, so that its hooks are refused."""
        return self.fills.get(source, 0) >= 1

    @property
    def refusal(self) -> str:
        """Why no hook may be stored now; "" where they may."""
        return self._admission.refusal or ("the store is nearly full" if self.full() else "")

    async def run(self) -> None:
        """Check for as long as the process lives; follow the configuration file in between."""
        while True:
            await self.tick()
            await asyncio.sleep(CHECK_SECONDS)

    async def tick(self) -> None:
        """Follow the file; check, where it is time to."""
        await self._live.poll()
        if self._clock() >= self._check_at:
            before = self.memory
            await self.check()
            self._check_at = self._clock() + (CHECK_SECONDS if self._fills(before) else IDLE_SECONDS)

    def _fills(self, before: MemoryUse | None) -> bool:
        """Return whether the store fills up, or cannot be looked at: then it is looked at again soon."""
        if self.problem is not None or before is None or self.memory is None:
            return True
        return self.memory.limit > 0 and self.memory.used - before.used > self.memory.limit * FILLS

    async def check(self) -> None:
        """Check once. Log when the store goes away, and when it becomes full."""
        was_full = self.full()
        try:
            await self._admission.admit()
            self.memory = await read_memory_use(self._client)
            await self._check_shares(self.memory)
            if self.durability is None or self._clock() - self._durability_checked_at > DURABILITY_SECONDS:
                await check_writable(self._client, self._probe_key)
                durability = await read_durability(self._client, self._probe_key)
                await check_sync(self._client, self._sync, durability.replicas)
                self.durability = durability
                self.life = await self._reader.life()
                await self._reader.now()  # by it this process tells what has expired
                self._admission.note_format(self.life.format)
                self._durability_checked_at = self._clock()
                self.sources = await self._load_sources()
            self.problem = self._admission.refusal or None
        except StoreUnavailable as error:
            self._note_problem(str(error))
        except Exception as error:  # noqa: BLE001  an answer that nobody expected: this goes on with its work
            self._note_problem(f"the store answered what was not expected: {type(error).__name__}: {error}")
        if self.full() and not was_full:
            log.error("store.full", used=self.memory and self.memory.used, limit=self.memory and self.memory.limit)

    async def _check_shares(self, memory: MemoryUse) -> None:
        """Check which sources take their share. Log when one comes near it, and when it has reached it."""
        before = self.fills
        has_shares = bool(self._live.config.shares)
        self.fills = await read_source_fills(self._client, self._reader.keys, memory) if has_shares else {}
        for source, fill in self.fills.items():
            if before.get(source, 0) < 1 <= fill:
                log.error("source.over_share", source=source, fill=round(fill, 2))
            elif before.get(source, 0) < FILLING <= fill < 1:
                log.warning("source.filling", source=source, fill=round(fill, 2))

    def _note_problem(self, problem: str) -> None:
        if self.problem is None:
            log.error("store.away", reason=problem)
        self.problem, self.durability = problem, None

    async def _load_sources(self) -> dict[str, SourceHealth]:
        found = {name: await examine_source(self._reader, name) for name in self._live.config.sources_with_api}
        return {name: health for name, health in found.items() if health is not None}
