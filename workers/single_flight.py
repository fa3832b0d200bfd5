"""Work that a bell starts and that is done by one at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from relay.errors import StoreUnavailable
from relay.logs import log

CUT_SECONDS = 1.0  # for what was cut off to end: a client library may swallow the cancellation


class SingleFlight:
    """Runs `work` on the loop; told to start while it runs, it runs it once more: no bell is ever missed.

    `name` begins the log lines ("sink.paused"), `about` is bound to them.
    """

    def __init__(self, work: Callable[[], Awaitable[None]], name: str, **about: str) -> None:
        self._work = work
        self._name = name
        self._about = about
        self._again = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Have the work done."""
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._again:
            self._again = False
            try:
                await self._work()
            except StoreUnavailable as error:
                log.warning(f"{self._name}.paused", reason=str(error), **self._about)  # the ticker rings again
            except Exception:  # noqa: BLE001  an errand that dies silently leaves its work to nobody
                log.exception(f"{self._name}.failed", **self._about)

    async def ended(self) -> None:
        """Wait until nothing of it runs."""
        if self._task is not None:
            await self._task

    async def ended_by(self, deadline: float) -> None:
        """Wait until nothing of it runs, and cut it off at `deadline` (monotonic seconds)."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=max(deadline - time.monotonic(), 0))
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CUT_SECONDS)
