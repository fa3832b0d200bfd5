"""Begin work that no bell began, lost or due by itself, and ring for other workers to join in."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from relay.config.config import Config
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.store.formats import check_format
from relay.store.store import Store
from relay.store.wire import LookReply
from workers.adoption import ADOPT
from workers.gone_workers import SILENT_MS, GoneWorkers
from workers.memory_sampler import SAMPLE_MEMORY
from workers.minute_sampler import SAMPLE_MINUTE
from workers.people_indexer import INDEX_PEOPLE
from workers.problem_keeper import KEEP_PROBLEMS
from workers.source_monitor import CHECK_SOURCE, check_source_args

TICK_SECONDS: Final = 0.5
IDLE_SECONDS: Final = 1.5  # between two looks at the store, where there was no work for a while
BUSY_SECONDS: Final = 10.0  # after work, in which more of it is looked for at every tick


class Ticker:
    """One in every worker process; several of them do no harm.

    `start_queue` starts work in this process, so that none depends on Celery's broker; `ring` publishes bells in the
    background, so that none waits for it. `note_format` is called with the format of the store before any work begins.
    """

    def __init__(
        self,
        worker: str,
        live: LiveConfig,
        store: Store,
        start_queue: Callable[[str], None],
        ring: Callable[[Sequence[str]], None],
        clock: Callable[[], float] = time.monotonic,
        note_format: Callable[[int], None] = check_format,
    ) -> None:
        self._worker = worker
        self._live = live
        self._store = store
        self._start_queue = start_queue
        self._ring = ring
        self._clock = clock
        self._note_format = note_format
        self._gone = GoneWorkers(store)
        self._registered: tuple[str, int] | None = None
        self._since = 0  # the store was in use at the last look; 0: there was none
        self._look_at = self._busy_until = float("-inf")

    def note_work(self) -> None:
        """Note that this process begins some work: where there is some, more may follow."""
        self._busy_until = self._clock() + BUSY_SECONDS

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
        """Follow the file; look at the store, where it is time to."""
        now = self._clock()
        if self._live.poll() or now < self._busy_until or now >= self._look_at:
            await self.look()

    async def look(self) -> None:
        """Start every queue that has work and whose bell is not set, and ring for it."""
        jobs = _standing_jobs(self._live.config)
        found = await self._store.look(self._worker, list(jobs), silent_ms=SILENT_MS, since=self._since)
        self._note_format(found.format)
        if found.queues:
            for queue in found.queues:
                self._start_queue(queue)
            self._ring(found.queues)
        self._plan_next(found)
        # Work does not wait for what follows, whatever the store says to it.
        self._note_life(found)
        await self._gone.end_leases(found.silent)
        await self._live.refresh_subscriptions(self._store.subscriptions, found.subscriptions_version)
        if not found.known or self._registered != self._live.version:
            await self._register(jobs)
            self._registered = self._live.version

    def _plan_next(self, found: LookReply) -> None:
        wait = IDLE_SECONDS if found.wait_ms < 0 else min(found.wait_ms / 1000, IDLE_SECONDS)
        self._look_at = self._clock() + wait

    def _note_life(self, found: LookReply) -> None:
        """Say where nothing is in the store that was, or should be, in it."""
        if self._since and self._since != found.since:
            log.error("store.emptied", reason="everything was deleted: what had not been delivered is lost")
        elif found.empty:
            log.warning("store.new", reason="nothing is in it: what an earlier one held is gone")
        self._since = found.since

    async def _register(self, jobs: Mapping[str, tuple[str, bytes]]) -> None:
        """Store the names of sinks and sources, and the jobs that run for ever."""
        await self._store.register_sources(self._live.config.sources, self._live.config.shares)
        await self._store.register_sinks(self._live.types_of_sinks(), self._live.max_pending())
        for id, (kind, args) in jobs.items():
            await self._store.enqueue_job(id, kind, args)


def _standing_jobs(config: Config) -> dict[str, tuple[str, bytes]]:
    """Return the jobs that run for ever: id -> kind and arguments."""
    checks = {f"{CHECK_SOURCE}:{name}": (CHECK_SOURCE, check_source_args(name)) for name in config.sources_with_api}
    for_ever = ("retention", KEEP_PROBLEMS, SAMPLE_MINUTE, ADOPT, INDEX_PEOPLE, SAMPLE_MEMORY)
    return {**{kind: (kind, b"{}") for kind in for_ever}, **checks}
