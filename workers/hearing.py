"""Notice that Celery's consumer takes no bells although some wait for it, and restart it.

Work does not depend on it: the ticker begins all that is due. But that takes longer than a bell.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from relay.logs import log

DEAF_SECONDS: Final = 20.0  # in which a bell that this process knows of is heard, or taken by another worker
CHECK_SECONDS: Final = 5.0


class Hearing:
    """Watches the consumer of a process.

    `count_waiting` asks the broker how many bells wait, and raises where it is away: then there is nothing to hear.
    `restart` lets the consumer connect anew. `end` ends the process, where that did not help.
    """

    def __init__(
        self,
        count_waiting: Callable[[], Awaitable[int]],
        restart: Callable[[], None],
        end: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count_waiting = count_waiting
        self._restart = restart
        self._end = end
        self._clock = clock
        self._rung_at: float | None = None  # the first bell since one was heard; None: there is none
        self._restarted = False

    def note_rung(self) -> None:
        """Note that this process has published a bell, or found one that nobody has answered."""
        if self._rung_at is None:
            self._rung_at = self._clock()

    def note_heard(self) -> None:
        """Note that the consumer has taken a bell. Any thread may call it."""
        self._rung_at, self._restarted = None, False

    async def run(self) -> None:
        """Check for as long as the process lives."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await self.check()

    async def check(self) -> None:
        """Restart the consumer where it is deaf; the second time, end the process."""
        if self._rung_at is None or self._clock() - self._rung_at < DEAF_SECONDS:
            return
        try:
            waiting = await self._count_waiting()
        except Exception:  # noqa: BLE001  the broker is away, whatever its client raises; the consumer has said so
            waiting = 0
        if not waiting:
            self._rung_at = None
        elif not self._restarted:
            log.error("consumer.deaf", waiting=waiting, action="it connects anew")
            self._restarted, self._rung_at = True, self._clock()
            self._restart()
        else:
            log.critical("consumer.deaf", waiting=waiting, action="the process ends, to be started again")
            self._rung_at = None
            self._end()
