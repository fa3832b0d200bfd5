"""Look for work that no bell and no wake-up began: they were lost, or it is due by itself."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from relay.config.config import Config
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.store.formats import check_format
from relay.store.store import Store
from relay.store.wire.looks import LookReply
from workers.adoption import ADOPT
from workers.drift_watch import COMPARE_DRIFT, WATCH_DRIFT, drift_args
from workers.fact_groups import END_FACT_GROUPS
from workers.field_counter import COUNT_FIELDS
from workers.gone_workers import SILENT_MS, GoneWorkers
from workers.listening import Listening
from workers.memory_sampler import SAMPLE_MEMORY
from workers.minute_sampler import SAMPLE_MINUTE
from workers.newest_indexer import INDEX_NEWEST
from workers.packer import PACK
from workers.people_indexer import INDEX_PEOPLE
from workers.problem_keeper import KEEP_PROBLEMS
from workers.source_monitor import CHECK_SOURCE, check_source_args

TICK_SECONDS: Final = 0.5
IDLE_SECONDS: Final = 1.5  # between two looks at the store, where there was no work for a while
LISTENING_SECONDS: Final = 0.8  # likewise, where what arrives wakes this process: with the ticks it becomes a second
BUSY_SECONDS: Final = 10.0  # after work, in which this process listens, or where it cannot, looks at every tick


class Ticker:
    """One in every worker process; several of them do no harm.

    `start_queue` starts work in this process, so that none depends on Celery's broker. `listening`: what takes this
    process's wake-ups. `note_format` is called with the format of the store before any work begins, `note_unanswered`
    where a bell was rung and no worker has come, `note_shards` with the epoch of the list of shards. `owned`: which of
    some sources belong to the shard that this is about. `keeps_problems`: whether they are looked for from here.
    `note_registered` is called with the names of the sinks once the store knows them.
    """

    def __init__(
        self,
        worker: str,
        live: LiveConfig,
        store: Store,
        start_queue: Callable[[str], None],
        listening: Listening,
        clock: Callable[[], float] = time.monotonic,
        note_format: Callable[[int], None] = check_format,
        note_unanswered: Callable[[], None] = lambda: None,
        note_shards: Callable[[int], None] = lambda _: None,
        owned: Callable[[Iterable[str]], Sequence[str]] = list,
        keeps_problems: bool = True,
        note_registered: Callable[[Iterable[str]], None] = lambda _: None,
    ) -> None:
        self._worker = worker
        self._live = live
        self._store = store
        self._start_queue = start_queue
        self._listening = listening
        self._clock = clock
        self._note_format = note_format
        self._note_unanswered = note_unanswered
        self._note_shards = note_shards
        self._owned = owned
        self._keeps_problems = keeps_problems
        self._note_registered = note_registered
        self._gone = GoneWorkers(store)
        self._registered: tuple[object, ...] | None = None
        self._since = 0  # the store was in use at the last look; 0: there was none
        self._look_at = self._busy_until = float("-inf")

    def note_work(self) -> None:
        """Note that this process begins some work: where there is some, more may follow."""
        if not self._busy:
            self._look_at = float("-inf")  # so that the store soon knows that it listens
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
        if await self._live.poll() or self._clock() >= self._look_at:
            await self.look()

    async def look(self) -> None:
        """Start every queue with work that nobody came to."""
        config = self._live.config
        of_accounts = self._owned(config.sources_with_api)
        jobs = _standing_jobs(config, of_accounts)
        if not self._keeps_problems:
            del jobs[KEEP_PROBLEMS]
        listens = await self._listening.begin_look(wanted=self._busy)
        found = await self._store.look(
            self._worker, list(jobs), silent_ms=SILENT_MS, since=self._since, listens=listens
        )
        await self._listening.end_look(found.listens)
        self._note_format(found.format)
        self._note_shards(found.shards)
        for queue in found.queues:
            self._start_queue(queue)
        if found.unanswered:
            self._note_unanswered()
        self._plan_next(found)
        # Work does not wait for what follows, whatever the store says to it.
        self._note_life(found)
        await self._gone.end_leases(found.silent)
        await self._live.refresh_subscriptions(self._store.subscriptions, found.subscriptions_version)
        registered = (*self._live.version, *of_accounts)
        if not found.known or self._registered != registered:
            await self._register(jobs)
            self._registered = registered
            for queue in found.queues:  # those of sinks that are new had to wait for this
                self._start_queue(queue)

    @property
    def _busy(self) -> bool:
        return self._clock() < self._busy_until

    def _plan_next(self, found: LookReply) -> None:
        longest = IDLE_SECONDS
        if self._busy:
            longest = LISTENING_SECONDS if found.listens else 0
        wait = longest if found.wait_ms < 0 else min(found.wait_ms / 1000, longest)
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
        await self._store.registry.add_sources(self._live.config.sources, self._live.config.shares)
        sinks = self._live.types_of_sinks()
        await self._store.registry.add_sinks(sinks, self._live.max_pending())
        self._note_registered(sinks)
        await self._store.registry.add_facts(self._live.config.asked_facts)
        for id, (kind, args) in jobs.items():
            await self._store.enqueue_job(id, kind, args)


def _standing_jobs(config: Config, sources: Iterable[str]) -> dict[str, tuple[str, bytes]]:
    """Return the jobs that run for ever: id -> kind and arguments. `sources`: whose accounts are asked here."""
    checks = {f"{CHECK_SOURCE}:{name}": (CHECK_SOURCE, check_source_args(name)) for name in sources}
    drift = {f"{WATCH_DRIFT}:{name}": (WATCH_DRIFT, drift_args(name)) for name in sources}
    for_ever = (
        "retention",
        KEEP_PROBLEMS,
        SAMPLE_MINUTE,
        ADOPT,
        INDEX_PEOPLE,
        INDEX_NEWEST,
        SAMPLE_MEMORY,
        PACK,
        COUNT_FIELDS,
    )
    of_facts = (END_FACT_GROUPS,) if config.asked_facts else ()
    compared = (COMPARE_DRIFT,) if drift else ()
    return {**{kind: (kind, b"{}") for kind in (*for_ever, *of_facts, *compared)}, **checks, **drift}
