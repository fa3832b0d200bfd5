"""What a worker process has in hand: whatever may have killed workers is worked at when there is nothing else in it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

ALONE_SECONDS: Final = 45.0  # for the others to end; a suspect's lease is longer by a minute


class Hand:
    """Shared by all agents of a process. While a suspect is in it, nothing else is claimed."""

    def __init__(self) -> None:
        self._others = 0
        self._exclusive = asyncio.Lock()
        self._emptied = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Return whether nothing may be claimed now."""
        return self._exclusive.locked()

    async def wait_until_open(self) -> None:
        """Wait until something may be claimed."""
        async with self._exclusive:
            pass

    @asynccontextmanager
    async def hold(self, *, suspect: bool) -> AsyncIterator[None]:
        """Work at something; at a suspect once all else has ended, or after ALONE_SECONDS."""
        if suspect:
            async with self._exclusive:
                await self._wait_until_empty()
                yield
            return
        self._others += 1
        try:
            yield
        finally:
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
