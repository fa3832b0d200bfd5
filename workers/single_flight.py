"""Run a piece of work in one task at a time, however often it is started."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from relay.errors import StoreUnavailable
from relay.logs import log

CANCEL_SECONDS = 1.0  # for a cancelled task to end: a client library may swallow the cancellation


class SingleFlight:
    """Runs `work` on the loop. Started while it runs, it runs once more afterwards, so no bell is missed.

    `name` is the first part of the log events ("sink.paused"); `context` is bound to them.
    """

    def __init__(self, work: Callable[[], Awaitable[None]], name: str, **context: str) -> None:
        self._work = work
        self._name = name
        self._context = context
        self._again = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run the work, or run it once more where it runs already."""
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._again:
            self._again = False
            try:
                await self._work()
            except StoreUnavailable as error:
                log.warning(f"{self._name}.paused", reason=str(error), **self._context)  # the ticker begins it again
            except Exception:  # noqa: BLE001  a task that dies silently leaves its work undone
                log.exception(f"{self._name}.failed", **self._context)

    async def wait(self) -> None:
        """Wait until the work has ended."""
        if self._task is not None:
            await self._task

    async def wait_or_cancel(self, deadline: float) -> None:
        """Wait until the work has ended; cancel it at `deadline` (monotonic seconds)."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=max(deadline - time.monotonic(), 0))
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CANCEL_SECONDS)
