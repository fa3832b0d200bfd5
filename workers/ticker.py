"""Begin work that no bell began, lost or due by itself, and ring for other workers to join in."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from relay.config.config import Config
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.store.store import Store
from workers.source_monitor import CHECK_SOURCE, check_source_args

TICK_SECONDS = 0.5


class Ticker:
    """One in every worker process; several of them do no harm.

    `start_queue` starts work in this process, so that none depends on Celery's broker; `ring` publishes bells in the
    background, so that none waits for it.
    """

    def __init__(
        self,
        worker: str,
        live: LiveConfig,
        store: Store,
        start_queue: Callable[[str], None],
        ring: Callable[[Sequence[str]], None],
    ) -> None:
        self._worker = worker
        self._live = live
        self._store = store
        self._start_queue = start_queue
        self._ring = ring
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
        """Start every queue that has work and whose bell is not set, and ring for it."""
        self._live.poll()
        jobs = _standing_jobs(self._live.config)
        knows_jobs = await self._store.see_worker(self._worker, list(jobs))
        if queues := await self._store.set_bells():
            for queue in queues:
                self._start_queue(queue)
            self._ring(queues)
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
