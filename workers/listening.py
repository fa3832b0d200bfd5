"""Listen for wake-ups while there is work: what arrives then needs no bell.

With each look the store knows for three seconds more that this worker listens, and sends it an empty wake-up. Where
that does not arrive, the worker does not say that it listens until it has another connection.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from relay.errors import StoreUnavailable
from relay.logs import log
from relay.store.records import Handed

PAUSE_SECONDS: Final = 1.0  # before another connection is tried


class WakeUpSource(Protocol):
    """What takes wake-ups, as `relay.store.wake_ups` does."""

    async def next(self) -> str | Handed:
        """Wait for the next one."""

    async def close(self) -> None:
        """Take no more."""


class Listening:
    """One in every worker process.

    `open` connects; `start_queue` starts work in this process, and `take` works at what it is handed over. Before each
    look the ticker asks whether to say that this worker listens, and afterwards tells whether the store found that it
    does.
    """

    def __init__(
        self,
        open: Callable[[], Awaitable[WakeUpSource]],
        start_queue: Callable[[str], None],
        take: Callable[[Handed], None],
    ) -> None:
        self._open = open
        self._start_queue = start_queue
        self._take = take
        self._wanted = asyncio.Event()
        self._wake_ups: WakeUpSource | None = None
        self._unheard = False  # the store has told, or was to tell, this worker that it listens
        self._lost = False
        self._stopped = False

    @property
    def connected(self) -> bool:
        """Whether there is a connection that takes wake-ups."""
        return self._wake_ups is not None

    async def begin_look(self, wanted: bool) -> bool:
        """Return whether this worker listens. `wanted`: it has work, or had some lately."""
        if not wanted:
            self._wanted.clear()
            return False
        self._wanted.set()
        if self._wake_ups is None:
            return False
        if self._unheard:
            await self._lose("what the store sent did not arrive")
            return False
        self._unheard = True
        return True

    async def end_look(self, listens: bool) -> None:
        """Note whether the store found the connection."""
        if self._unheard and not listens:
            await self._lose("the store knows nothing of its connection")

    async def run(self) -> None:
        """Listen whenever that is wanted. A connection stays open for the next time."""
        while not self._stopped:
            await self._wanted.wait()
            try:
                await self._listen()
            except StoreUnavailable as error:
                self._note_loss(str(error))
            finally:
                await self._close()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _listen(self) -> None:
        self._wake_ups = await self._open()
        if self._stopped:  # meanwhile: what would wake this worker is for others
            return
        self._unheard = self._lost = False
        while True:
            found = await self._wake_ups.next()
            if isinstance(found, Handed):
                self._take(found)
            elif found:
                self._start_queue(found)
            else:
                self._unheard = False

    async def stop(self) -> None:
        """Take no more wake-ups: at once the store has others, or a bell, for what arrives."""
        self._stopped = True
        await self._close()

    async def _lose(self, reason: str) -> None:
        self._note_loss(reason)
        await self._close()

    def _note_loss(self, reason: str) -> None:
        """Say so, once until it listens again."""
        if not self._lost and not self._stopped:
            log.warning("listening.lost", reason=reason)
        self._lost = True

    async def _close(self) -> None:
        wake_ups, self._wake_ups, self._unheard = self._wake_ups, None, False
        if wake_ups is not None:
            await wake_ups.close()
