"""What a worker process has in hand: whatever may have killed workers is worked at when there is nothing else in it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

ALONE_SECONDS: Final = 45.0  # for the others to end; a suspect's lease is longer by a minute


class _Counted(AbstractAsyncContextManager[None]):
    """Calls `begin` and `end` around a piece of work. One serves all of them: a generator for each takes longer."""

    def __init__(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        self._begin, self._end = begin, end

    async def __aenter__(self) -> None:
        self._begin()

    async def __aexit__(self, *_: object) -> None:
        self._end()


class Hand:
    """Shared by all agents of a process. While a suspect is in it, nothing else is claimed."""

    def __init__(self) -> None:
        self._others = 0
        self._exclusive = asyncio.Lock()
        self._emptied = asyncio.Event()
        self._beside_others = _Counted(self.add, self.remove)

    @property
    def closed(self) -> bool:
        """Return whether nothing may be claimed now."""
        return self._exclusive.locked()

    async def wait_until_open(self) -> None:
        """Wait until something may be claimed."""
        async with self._exclusive:
            pass

    def hold(self, *, suspect: bool) -> AbstractAsyncContextManager[None]:
        """Work at something; at a suspect once all else has ended, or after ALONE_SECONDS."""
        return self._alone() if suspect else self._beside_others

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        async with self._exclusive:
            await self._wait_until_empty()
            yield

    def add(self) -> None:
        """Note that something more is in hand, until `remove`."""
        self._others += 1

    def remove(self) -> None:
        """Note that something is not in hand any more."""
        self._others -= 1
        if not self._others:
            self._emptied.set()

    async def _wait_until_empty(self) -> None:
        end = time.monotonic() + ALONE_SECONDS
        while self._others and (left := end - time.monotonic()) > 0:
            self._emptied.clear()
            try:
                async with asyncio.timeout(left):
                    await self._emptied.wait()
            except TimeoutError:
                return
