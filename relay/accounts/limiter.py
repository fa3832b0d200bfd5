"""The account's patience, kept in the store for all workers together: 7 requests a second, and pauses it asks for."""

import asyncio
import time

import msgspec

from relay.accounts.answers import Pause
from relay.errors import AccountUnavailable
from relay.model import Limit, Record
from relay.store.shared_state import SharedState

MAX_WAIT_MS = 10_000  # a longer pause is not waited for: whoever asked comes back
_SHORTEST_MS = 10


class _Closed(Record):
    until: int  # epoch milliseconds; the note's own end counts where clocks differ
    reason: str


class Limiter:
    """Grants requests to one account. Every method raises StoreUnavailable."""

    def __init__(self, shared: SharedState, limit: Limit) -> None:
        self._shared = shared
        self._limit = limit
        self._key = f"{limit.key}:closed"

    async def take(self) -> None:
        """Wait for a grant. Raises AccountUnavailable where the account is closed for long."""
        while True:
            wait_ms = await self._closed_ms() or await self._shared.take_grant([self._limit])
            if not wait_ms:
                return
            await asyncio.sleep(wait_ms / 1000)

    async def close(self, pause: Pause) -> None:
        """Let nobody ask the account for a while."""
        closed = _Closed(until=_now() + pause.ms, reason=pause.reason)
        await self._shared.put(self._key, msgspec.json.encode(closed), pause.ms)

    async def _closed_ms(self) -> int:
        found = await self._shared.get(self._key)
        if found is None:
            return 0
        closed = msgspec.json.decode(found, type=_Closed)
        left = max(closed.until - _now(), _SHORTEST_MS)
        if left > MAX_WAIT_MS:
            raise AccountUnavailable(f"{closed.reason}: nobody asks it for another {left / 1000:.0f} s", left)
        return left


def _now() -> int:
    return time.time_ns() // 1_000_000
