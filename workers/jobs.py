"""Do background work: rows in the store, claimed by any worker."""

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.store.records import Job
from relay.store.store import Store
from workers.single_flight import SingleFlight

Work: TypeAlias = Callable[[Job], Awaitable[int | None]]
"""Does a job; returns in how many milliseconds it is due again, or None where it is done."""

LEASE_MS = 60_000
RETENTION_EVERY_MS = 60_000
RETIRED_AT_ONCE = 100
FAILED_AGAIN_MS = 60_000


class JobRunner:
    """Runs jobs one after another on the loop. A job of an unknown kind waits for a worker that knows it."""

    def __init__(
        self, live: LiveConfig, store: Store, stopping: Callable[[], bool], kinds: Mapping[str, Work] | None = None
    ) -> None:
        self._live = live
        self._store = store
        self._stopping = stopping
        self._working = SingleFlight(self._work_off, "jobs")
        self._claims = 0
        self._kinds: Mapping[str, Work] = {"retention": self._retention, **(kinds or {})}

    def start(self) -> None:
        """Do what is due."""
        self._working.start()

    async def _work_off(self) -> None:
        while not self._stopping() and await self._one():
            pass

    async def _one(self) -> bool:
        self._claims += 1
        claim = await self._store.claim_jobs(f"{os.getpid()}:{self._claims}:{os.urandom(4).hex()}", 1, LEASE_MS)
        for job in claim.items:
            again = await self._do(job)
            await self._store.finish_job(job, again)
            log.info("job.done", job_id=job.id, kind=job.kind, again_ms=again)
        return bool(claim.items)

    async def _do(self, job: Job) -> int | None:
        """Run a job; return in how many milliseconds it is due again, or None where it is done."""
        work = self._kinds.get(job.kind)
        if work is None:
            log.warning("job.unknown", job_id=job.id, kind=job.kind)
            return FAILED_AGAIN_MS
        try:
            return await work(job)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001  one job's defect must not stop the others
            log.exception("job.failed", job_id=job.id, kind=job.kind)
            return FAILED_AGAIN_MS

    async def _retention(self, _: Job) -> int:
        keep = self._live.config.retention
        removed = await self._store.apply_retention(keep.finished, keep.dead, keep.count, RETIRED_AT_ONCE)
        # A full batch means there is more; it goes on without holding up other jobs.
        return 0 if removed >= RETIRED_AT_ONCE else RETENTION_EVERY_MS
