"""Keep a process running in its place: one that ends is started again, one may be replaced by another."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from relay.errors import RelayError
from relay.logs import log
from relay.up.child_processes import ChildProcess
from relay.up.pauses import RestartPauses

READY_SECONDS: Final = 120.0  # on a busy machine, too
GRACE_SECONDS: Final = 25.0  # a worker waits for what is in flight, web answers what it has read


class Slot:
    """The place of one process. `start` starts one; `current` is the one that runs already, if any does."""

    def __init__(
        self, name: str, start: Callable[[], Awaitable[ChildProcess]], current: ChildProcess | None = None
    ) -> None:
        self.name = name
        self.current = current
        self._start = start
        self._pauses = RestartPauses()
        self._starting = asyncio.Lock()  # one at a time: `keep` and `replace` run beside each other

    async def keep(self) -> None:
        """Start a process, and another whenever it has ended, for ever."""
        while True:
            process = await self._current_or_started()
            status = await asyncio.shield(process.ended)
            if process is self.current:  # else it was replaced
                self.current = None
                pause = self._pauses.next(process.lived_seconds)
                _log_end(process, status, pause)
                await asyncio.sleep(pause)

    async def _current_or_started(self) -> ChildProcess:
        async with self._starting:
            while self.current is None:
                try:
                    self.current = await self._start()
                except (OSError, RelayError) as error:
                    pause = self._pauses.next(0.0)
                    log.error("process.not_started", process=self.name, reason=str(error), restart_seconds=pause)
                    await asyncio.sleep(pause)
            return self.current

    async def replace(self) -> None:
        """Start another process, and end the one before once that is ready. Raises RelayError where it is not."""
        async with self._starting:
            new = await self._start()
            if not await new.wait_until_ready(READY_SECONDS):
                await new.end(GRACE_SECONDS)
                raise RelayError(f"the new {self.name} did not become ready: the one before goes on")
            old, self.current = self.current, new
        if old is not None:
            await old.end(GRACE_SECONDS)


def _log_end(process: ChildProcess, status: int, pause: float) -> None:
    how = {"signal": -status} if status < 0 else {"status": status}
    log.warning("process.ended", process=process.name, pid=process.pid, **how, restart_seconds=pause)
