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


class HandedReceipts:
    """The receipts that a worker was handed over. `route` plans and writes a batch; what it does not is soon due."""

    def __init__(self, route: Callable[[Claim[Receipt]], Awaitable[None]]) -> None:
        self._route = route
        self._waiting: list[Receipt] = []
        self._subscriptions_version = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, handed: Handed) -> None:
        """Route these, now or with the next batch."""
        self._waiting += handed.receipts
        self._subscriptions_version = max(self._subscriptions_version, handed.subscriptions_version)
        if len(self._tasks) < AT_ONCE:
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        while self._waiting:
            receipts, self._waiting = self._waiting[:MOST_RECEIPTS], self._waiting[MOST_RECEIPTS:]
            version = self._subscriptions_version
            try:
                await self._route(
                    Claim(token=HANDED, items=receipts, poisoned=[], wait_ms=-1, subscriptions_version=version)
                )
            except StoreUnavailable as error:
                log.warning("router.paused", reason=str(error))  # the ticker begins it again
            except Exception:  # noqa: BLE001  a task that dies silently leaves its work undone
                log.exception("router.failed")

    async def finish(self, deadline: float) -> None:
        """Let what is planned be written; at `deadline` (monotonic seconds) leave it to others."""
        self._waiting.clear()
        if self._tasks:
            tasks = set(self._tasks)
            await asyncio.wait(tasks, timeout=max(deadline - time.monotonic(), 0))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
