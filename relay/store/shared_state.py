"""What workers share beside deliveries: tokens, stop lists, counted quotas and locks, each with a time to live."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import TypeVar

import msgspec
from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import LockError

from relay.errors import StoreUnavailable
from relay.facts.kinds import FactViews
from relay.model import Limit
from relay.store.clock import clock_of
from relay.store.commands import run_command
from relay.store.keys import Keys
from relay.store.quotas import Quota, QuotaExceeded
from relay.store.scripts import Caller, Script

T = TypeVar("T")
LOOK_AGAIN_SECONDS = 0.1
AT_ONCE = 200  # values of one call
_SPEND_QUOTAS, _TAKE_GRANT = Script("spend_quotas"), Script("take_grant", "_limits")
_PUT_SHARED = Script("put_shared")


class SharedState:
    """Values by key, each with a time to live, also in a full store. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)
        self.clock = clock_of(client)

    async def get(self, key: str) -> bytes | None:
        """Read a value."""
        found: bytes | None = await run_command(self._client.get(self._keys.shared(key)))
        return found

    async def put(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Write a value, in place of what was there."""
        await self.put_all({key: value}, ttl_ms)

    async def get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Read values by key; those that are not there are left out."""
        found = await run_command(self._client.mget([self._keys.shared(key) for key in keys])) if keys else []
        return {key: value for key, value in zip(keys, found, strict=True) if value is not None}

    async def put_all(self, values: Mapping[str, bytes], ttl_ms: int) -> None:
        """Write values by key."""
        for at in range(0, len(values), AT_ONCE):
            some = dict(list(values.items())[at : at + AT_ONCE])
            await self._put(some, ttl_ms)

    async def _put(self, values: Mapping[str, bytes], ttl_ms: int, *, only_new: bool = False) -> bool:
        request = {"keys": list(values), "ttl_ms": ttl_ms, "only_new": only_new}
        return _BOOL.decode(await self._call(_PUT_SHARED, request, *values.values()))

    async def time_left(self, key: str) -> int | None:
        """Return for how many milliseconds a value will be there; None where it is not."""
        left = int(await run_command(self._client.pttl(self._keys.shared(key))))
        return None if left < 0 else left

    async def delete(self, key: str) -> None:
        """Remove a value."""
        await run_command(self._client.delete(self._keys.shared(key)))

    async def find_or_make(
        self,
        find: Callable[[], Awaitable[T | None]],
        make: Callable[[], Awaitable[T]],
        *,
        lock: str,
        lock_ms: int,
        wait_ms: int = 0,
    ) -> T | None:
        """Return what `find` finds; where that is None, have one of all workers make it, under a lock.

        While another one makes it, look again for `wait_ms`, then return None. `lock_ms` must be longer than `make`
        takes: the lock of a worker that died is free after that time.
        """
        deadline = time.monotonic() + wait_ms / 1000
        while (found := await find()) is None:
            async with self.lock(lock, lock_ms) as acquired:
                if acquired:
                    # It may have been made between the look and the lock.
                    found = await find()
                    return await make() if found is None else found
            if time.monotonic() >= deadline:
                return None
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        return found

    @asynccontextmanager
    async def lock(self, key: str, ttl_ms: int) -> AsyncIterator[bool]:
        """Hold a lock where it is free, and say whether it was."""
        lock = Lock(self._client, self._keys.shared(key), timeout=ttl_ms / 1000, thread_local=False)
        lock.local.token = token = os.urandom(16)
        if not await self._put({key: token}, ttl_ms, only_new=True):
            yield False
            return
        try:
            yield True
        finally:
            with suppress(LockError, StoreUnavailable):  # it ran out meanwhile, or it will
                await run_command(lock.release())

    async def spend_quotas(
        self, quotas: Sequence[Quota], budgets: Mapping[str, FactViews] = MappingProxyType({})
    ) -> QuotaExceeded | None:
        """Spend of all quotas, or of none: then return the first one that would be exceeded.

        `budgets`: what routes see of the fact that one is exceeded, by the keys of those that are one.
        """
        request = {"quotas": quotas, "budgets": dict(budgets)}
        key, wait_ms = _EXCEEDED.decode(await self._call(_SPEND_QUOTAS, request))
        return QuotaExceeded(key=key, wait_ms=wait_ms) if key else None

    async def take_grant(self, limits: Sequence[Limit]) -> int:
        """Take one more grant of each limit, or of none: for a call beyond the one that the claim was granted.

        Returns in how many milliseconds to ask again; 0: granted.
        """
        return _INT.decode(await self._call(_TAKE_GRANT, {"limits": limits}))


_INT = msgspec.msgpack.Decoder(int)
_BOOL = msgspec.msgpack.Decoder(bool)
_EXCEEDED = msgspec.msgpack.Decoder(tuple[str, int])
