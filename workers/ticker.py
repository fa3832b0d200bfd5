"""Ring the bells that were lost, and those of work that has become due by itself."""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress

from relay.bells import Ringer
from relay.config.config import Config
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.store.store import Store
from workers.source_monitor import CHECK_SOURCE, check_source_args

TICK_SECONDS = 0.5


class Ticker:
    """One in every worker process; several of them do no harm. `start_queue` starts work in this process."""

    def __init__(
        self, worker: str, live: LiveConfig, store: Store, ringer: Ringer, start_queue: Callable[[str], None]
    ) -> None:
        self._worker = worker
        self._live = live
        self._store = store
        self._ringer = ringer
        self._start_queue = start_queue
        self._registered: tuple[str, int] | None = None

    async def run(self, stopping: Callable[[], bool]) -> None:
        """Tick until the worker stops."""
        paused = False
        while not stopping():
            try:
                await self.tick()
                paused = False
            except StoreUnavailable as error:
                if not paused:
                    log.warning("ticker.paused", reason=str(error))
                paused = True
            except Exception:  # noqa: BLE001  without a ticker a lost bell stays lost
                log.exception("ticker.failed")
            await asyncio.sleep(TICK_SECONDS * random.uniform(0.8, 1.2))
        with suppress(StoreUnavailable):
            await self._store.forget_worker(self._worker)

    async def tick(self) -> None:
        """Ring for every queue that has work. A bell that cannot be published starts the work in this process."""
        self._live.poll()
        jobs = _standing_jobs(self._live.config)
        knows_jobs = await self._store.see_worker(self._worker, list(jobs))
        for queue in await self._ringer.ring(await self._store.set_bells()):
            self._start_queue(queue)
        # Work does not wait for what follows, whatever the store says to it.
        await self._live.refresh_subscriptions(self._store.subscriptions)
        if not knows_jobs or self._registered != self._live.version:
            await self._register(jobs)
            self._registered = self._live.version

    async def _register(self, jobs: Mapping[str, tuple[str, bytes]]) -> None:
        """Store the names of sinks and sources, and the jobs that run for ever."""
        await self._store.register_sources(self._live.config.sources)
        await self._store.register_sinks(self._live.types_of_sinks())
        for id, (kind, args) in jobs.items():
            await self._store.enqueue_job(id, kind, args)


def _standing_jobs(config: Config) -> dict[str, tuple[str, bytes]]:
    """Return the jobs that run for ever: id -> kind and arguments."""
    checks = {f"{CHECK_SOURCE}:{name}": (CHECK_SOURCE, check_source_args(name)) for name in config.sources_with_api}
    return {"retention": ("retention", b"{}"), **checks}
