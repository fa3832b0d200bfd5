"""Run background jobs: records in the store, claimed by any worker."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from relay.errors import StoreRefused, StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.model import is_subscriber
from relay.operations.dead_letters import dead_rules, read_dead_letters
from relay.store.health import MemoryUse, read_memory_use
from relay.store.kept_ages import kept_ages
from relay.store.parts import CALL_ITEMS
from relay.store.reader import Reader
from relay.store.records import Job
from relay.store.store import Store
from workers.claim_tokens import ClaimTokens
from workers.drift_watch import COMPARE_DRIFT
from workers.field_counter import COUNT_FIELDS
from workers.newest_indexer import INDEX_NEWEST
from workers.people_indexer import INDEX_PEOPLE
from workers.single_flight import SingleFlight

JobFunction: TypeAlias = Callable[[Job], Awaitable[int | None]]
"""Runs a job; returns in how many milliseconds it is due again, or None where it is finished."""

LEASE_MS = 60_000
KEPT_ACTIONS = 1000  # that have ended
FORGOTTEN_AT_ONCE = 20  # subscriptions
RETENTION_EVERY_MS = 60_000
_UNTOLD = (INDEX_PEOPLE, INDEX_NEWEST, COMPARE_DRIFT, COUNT_FIELDS)  # run often: a line for each tells nothing
RETRY_MS = 60_000  # after a defect, or for a worker that knows the kind


class JobRunner:
    """Runs jobs one after another on the loop. A job of an unknown kind waits for a worker that knows it."""

    def __init__(
        self,
        live: LiveConfig,
        store: Store,
        worker: str,
        stopping: Callable[[], bool],
        kinds: Mapping[str, JobFunction],
    ) -> None:
        self._live = live
        self._store = store
        self._tokens = ClaimTokens(worker, "j")
        self._stopping = stopping
        self._running = SingleFlight(self._run_due, "jobs")
        self._kinds: Mapping[str, JobFunction] = {"retention": self._apply_retention, **kinds}

    def start(self) -> None:
        """Run the jobs that are due."""
        self._running.start()

    async def _run_due(self) -> None:
        while not self._stopping() and await self._run_next():
            pass

    async def _run_next(self) -> bool:
        """Claim and run one job. Returns whether there was one."""
        token = self._tokens.new()
        with self._tokens.used(token, LEASE_MS):
            claim = await self._store.claim_jobs(token, 1, LEASE_MS, self._tokens.unheard)
        for job in claim.items:
            with self._tokens.used(claim.token, LEASE_MS):
                again_ms = await self._run(job)
                await self._store.finish_job(job, again_ms)
            if job.kind not in _UNTOLD:
                log.info("job.finished", job_id=job.id, kind=job.kind, again_ms=again_ms)
        return bool(claim.items)

    async def _run(self, job: Job) -> int | None:
        function = self._kinds.get(job.kind)
        if function is None:
            log.warning("job.unknown", job_id=job.id, kind=job.kind)
            return RETRY_MS
        try:
            return await function(job)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001  one job's defect must not stop the others
            log.exception("job.failed", job_id=job.id, kind=job.kind)
            return RETRY_MS

    async def _forget_sinks(self) -> None:
        """Forget what is left of subscriptions that were removed."""
        registered = await Reader(self._store.client, self._store.namespace).registered_sinks()
        await self._live.refresh_subscriptions(self._store.subscriptions)
        known = self._live.types_of_sinks()
        gone = [name for name in registered if is_subscriber(name) and name not in known]
        if gone and (forgotten := await self._store.registry.forget_sinks(gone[:FORGOTTEN_AT_ONCE])):
            log.info("subscription.forgotten", sinks=forgotten)

    async def _read_memory(self) -> MemoryUse:
        """Read how full the store is. Where its user may not ask that, it is as if it had no limit."""
        try:
            return await read_memory_use(self._store.client)
        except StoreRefused:
            return MemoryUse(used=0, limit=0)

    async def _apply_retention(self, _: Job) -> int:
        keep = self._live.config.retention
        client, keys = self._store.client, self._store.keys
        dead = dead_rules(await read_dead_letters(client, keys), await self._read_memory(), keep)
        ages = kept_ages(keep)
        longest = ages.finished.longest, ages.dead.longest
        retired = await self._store.retention.apply(*longest, keep.count, CALL_ITEMS, dead)
        own = await self._store.retention.apply_ages(ages, CALL_ITEMS)
        retired = retired.plus(own)
        if retired.damaged:
            log.error("retention.damaged", receipts=list(retired.damaged))
        if not retired.more:
            await self._forget_sinks()
            await self._store.actions.retire(keep.dead, KEPT_ACTIONS, CALL_ITEMS)
        # Where there is more, the job is due again at once, behind the other jobs.
        return 0 if retired.more else RETENTION_EVERY_MS
