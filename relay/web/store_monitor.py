"""Watch the store in the background, so that no hook has to: how full it is, and what it survives."""

import asyncio
import time

from relay.accounts.source_health import SourceHealth, examine_source
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.store.health import Durability, MemoryUse, check_writable, read_durability, read_memory_use
from relay.store.reader import Reader

CHECK_SECONDS = 0.5
DURABILITY_SECONDS = 30.0


class StoreMonitor:
    """The latest known state of the store and of the sources; None or empty where it is not known."""

    def __init__(self, reader: Reader, live: LiveConfig) -> None:
        self._client = reader.client
        self._reader = reader
        self._probe_key = reader.keys.probe
        self._live = live
        self._durability_checked_at = float("-inf")  # monotonic seconds
        self.memory: MemoryUse | None = None
        self.durability: Durability | None = None
        self.sources: dict[str, SourceHealth] = {}
        self.problem: str | None = "not checked yet"

    def full(self) -> bool:
        """Return whether the store is over its headroom mark."""
        return self.memory is not None and self.memory.full

    async def run(self) -> None:
        """Check for as long as the process lives; follow the configuration file in between."""
        while True:
            await self.check()
            self._live.poll()
            await asyncio.sleep(CHECK_SECONDS)

    async def check(self) -> None:
        """Check once. Log when the store goes away, and when it becomes full."""
        was_full = self.full()
        try:
            self.memory = await read_memory_use(self._client)
            if self.durability is None or time.monotonic() - self._durability_checked_at > DURABILITY_SECONDS:
                await check_writable(self._client, self._probe_key)
                self.durability = await read_durability(self._client, self._probe_key)
                self._durability_checked_at = time.monotonic()
                self.sources = await self._load_sources()
            self.problem = None
        except StoreUnavailable as error:
            self._note_problem(str(error))
        except Exception as error:  # noqa: BLE001  an answer that nobody expected: this goes on with its work
            self._note_problem(f"the store answered what was not expected: {type(error).__name__}: {error}")
        if self.full() and not was_full:
            log.error("store.full", used=self.memory and self.memory.used, limit=self.memory and self.memory.limit)

    def _note_problem(self, problem: str) -> None:
        if self.problem is None:
            log.error("store.away", reason=problem)
        self.problem, self.durability = problem, None

    async def _load_sources(self) -> dict[str, SourceHealth]:
        found = {name: await examine_source(self._reader, name) for name in self._live.config.sources_with_api}
        return {name: health for name, health in found.items() if health is not None}
