"""Route what the store hands over as it arrives: a few batches at a time, so that none waits for another's write."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from relay.errors import StoreUnavailable
from relay.logs import log
from relay.model import Receipt
from relay.store.records import HANDED, Claim, Handed
from workers.single_flight import CANCEL_SECONDS

AT_ONCE: Final = 3  # batches that are planned or written; what comes meanwhile is the next one
MOST_RECEIPTS: Final = 50  # in one: about as many as are handed over before the store waits for a claim
BEGIN_SECONDS: Final = 0.4  # what has waited for longer is as good as anybody's: accept.lua


class HandedReceipts:
    """The receipts that a worker was handed over. `route` plans and writes a batch; what it does not is soon due."""

    def __init__(
        self, route: Callable[[Claim[Receipt]], Awaitable[None]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._route = route
        self._clock = clock
        self._waiting: list[tuple[Receipt, float]] = []  # until when each may begin
        self._subscriptions_version = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, handed: Handed) -> None:
        """Route these, now or with the next batch."""
        until = self._clock() + BEGIN_SECONDS
        self._waiting += [(receipt, until) for receipt in handed.receipts]
        self._subscriptions_version = max(self._subscriptions_version, handed.subscriptions_version)
        if len(self._tasks) < AT_ONCE:
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        while receipts := self._next_batch():
            version = self._subscriptions_version
            try:
                await self._route(
                    Claim(token=HANDED, items=receipts, poisoned=[], wait_ms=-1, subscriptions_version=version)
                )
            except StoreUnavailable as error:
                log.warning("router.paused", reason=str(error))  # the ticker begins it again
            except Exception:  # noqa: BLE001  a task that dies silently leaves its work undone
                log.exception("router.failed")

    def _next_batch(self) -> list[Receipt]:
        """Take what waits; what has waited for too long, because there is so much to do, is left to its lease."""
        now = self._clock()
        waiting = [one for one in self._waiting if one[1] > now]
        self._waiting = waiting[MOST_RECEIPTS:]
        return [receipt for receipt, _ in waiting[:MOST_RECEIPTS]]

    async def finish(self, deadline: float) -> None:
        """Let what is planned be written; at `deadline` (monotonic seconds) leave it to others."""
        self._waiting.clear()
        if self._tasks:
            tasks = set(self._tasks)
            await asyncio.wait(tasks, timeout=max(deadline - time.monotonic(), 0))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
