"""The account's limit for all workers together: 7 requests a second, and the pauses that it asks for."""

import asyncio

import msgspec

from relay.accounts.answers import Pause
from relay.errors import AccountUnavailable
from relay.model import Limit, Record
from relay.store.shared_state import SharedState

MAX_WAIT_MS = 10_000  # a longer pause is not waited for: the caller asks again later
_MIN_WAIT_MS = 10


class _CurrentPause(Record):
    until: int  # epoch milliseconds, by the store's clock
    reason: str


class Limiter:
    """Grants requests to one account. Every method raises StoreUnavailable."""

    def __init__(self, shared: SharedState, limit: Limit) -> None:
        self._shared = shared
        self._limit = limit
        self._key = f"{limit.key}:closed"

    def now(self) -> int:
        """Return the store's time, in epoch milliseconds."""
        return self._shared.clock.ms()

    async def acquire(self) -> None:
        """Wait for a grant of one request. Raises AccountUnavailable where the account is paused for longer."""
        while True:
            wait_ms = await self._pause_ms() or await self._shared.take_grant([self._limit])
            if not wait_ms:
                return
            await asyncio.sleep(wait_ms / 1000)

    async def pause(self, pause: Pause) -> None:
        """Grant no worker a request for a while."""
        current = _CurrentPause(until=self._shared.clock.ms() + pause.ms, reason=pause.reason)
        await self._shared.put(self._key, msgspec.json.encode(current), pause.ms)

    async def _pause_ms(self) -> int:
        """Return for how long the account is still paused. Raises AccountUnavailable where that is too long."""
        found = await self._shared.get(self._key)
        if found is None:
            return 0
        current = msgspec.json.decode(found, type=_CurrentPause)
        left = max(current.until - self._shared.clock.ms(), _MIN_WAIT_MS)
        if left > MAX_WAIT_MS:
            raise AccountUnavailable(f"{current.reason}: it is not asked for another {left / 1000:.0f} s", left)
        return left
