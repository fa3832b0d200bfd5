"""The small memory that sinks share over all workers: tokens, stop lists, counted caps."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.model import Limit, Record
from relay.store.keys import Keys
from relay.store.scripts import Caller, Script, unavailable

_SPEND_QUOTAS, _TAKE_GRANT, _UNLOCK = Script("spend_quotas"), Script("take_grant"), Script("unlock")


class Quota(Record):
    """Spend `amount` of the `limit` that `key` has until a moment (epoch milliseconds), when it begins anew."""

    key: str
    amount: int
    limit: int
    until_ms: int


class QuotaExceeded(Record):
    """The cap that would not hold, and in how many milliseconds it begins anew."""

    key: str
    wait_ms: int


class SharedState:
    """Notes by key; each forgets itself in time. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)

    async def get(self, key: str) -> bytes | None:
        """Read a note."""
        found: bytes | None = await _do(self._client.get(self._keys.note(key)))
        return found

    async def put(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Write a note, in place of what was there."""
        await _do(self._client.set(self._keys.note(key), value, px=ttl_ms))

    async def get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Read notes by key; those that are not there are left out."""
        found = await _do(self._client.mget([self._keys.note(key) for key in keys])) if keys else []
        return {key: value for key, value in zip(keys, found, strict=True) if value is not None}

    async def put_all(self, values: Mapping[str, bytes], ttl_ms: int) -> None:
        """Write notes by key."""
        async with self._client.pipeline(transaction=False) as pipe:
            for key, value in values.items():
                pipe.set(self._keys.note(key), value, px=ttl_ms)
            await _do(pipe.execute())

    async def delete(self, key: str) -> None:
        """Remove a note."""
        await _do(self._client.delete(self._keys.note(key)))

    async def lock(self, key: str, owner: str, ttl_ms: int) -> bool:
        """Take a lock. False: somebody has it."""
        return bool(await _do(self._client.set(self._keys.note(key), owner, px=ttl_ms, nx=True)))

    async def unlock(self, key: str, owner: str) -> bool:
        """Return a lock back. False: it ran out before, and may be another's."""
        return _BOOL.decode(await self._call(_UNLOCK, {"key": key, "owner": owner}))

    async def spend_quotas(self, caps: Sequence[Quota]) -> QuotaExceeded | None:
        """Spend of all caps, or of none: then say which one would not hold."""
        request = {"caps": [(cap.key, cap.amount, cap.limit, cap.until_ms) for cap in caps]}
        key, wait_ms = _REFUSED.decode(await self._call(_SPEND_QUOTAS, request))
        return QuotaExceeded(key=key, wait_ms=wait_ms) if key else None

    async def take_grant(self, limits: Sequence[Limit]) -> int:
        """Take one more grant of each limit: for a call beyond the one that the claim was granted.

        Returns in how many milliseconds to ask again; 0: granted.
        """
        return _INT.decode(await self._call(_TAKE_GRANT, {"limits": limits}))


async def _do(answer: Awaitable[Any]) -> Any:
    try:
        return await answer
    except RedisError as error:
        raise unavailable(error) from error


_BOOL = msgspec.msgpack.Decoder(bool)
_INT = msgspec.msgpack.Decoder(int)
_REFUSED = msgspec.msgpack.Decoder(tuple[str, int])
