"""Look at the store: what it survives, how full it is, whether it can be written to."""

import time
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from relay.errors import StoreUnavailable
from relay.store.scripts import unavailable

FULL_AT = 0.85  # of maxmemory: what is inside must still be worked off
_EVERYSEC_MS = 150  # a WAITAOF slower than this waited for the second to end


@dataclass(frozen=True)
class Room:
    """How full the store is, in bytes. A limit of 0 is none."""

    used: int
    limit: int

    @property
    def full(self) -> bool:
        """Whether hooks must be refused, so that the rest can be worked off."""
        return self.limit > 0 and self.used >= self.limit * FULL_AT


@dataclass(frozen=True)
class Durability:
    """What the store survives: `fsync` a crash of its machine, `everysec` may lose a second, `memory` everything."""

    grade: str
    replicas: int
    policy: str  # what it evicts; "noeviction" is right

    def __str__(self) -> str:
        return self.grade + ("+replica" if self.replicas else "")


async def room(client: Redis) -> Room:
    """Read how full the store is. Raises StoreUnavailable."""
    try:
        info = await client.info("memory")
    except RedisError as error:
        raise unavailable(error) from error
    return Room(used=int(info.get("used_memory", 0)), limit=int(info.get("maxmemory", 0)))


async def durability(client: Redis, probe_key: str) -> Durability:
    """Grade the store by trying: managed servers forbid CONFIG, so a write is timed to its place on disk.

    Raises StoreUnavailable.
    """
    try:
        replication, memory = await client.info("replication"), await client.info("memory")
        if replication.get("role") != "master":
            raise StoreUnavailable("the store is a replica: it takes no writes; give REDIS_URL the master's address")
        grade = await _grade(client, probe_key)
    except RedisError as error:
        raise unavailable(error) from error
    return Durability(
        grade, int(replication.get("connected_slaves", 0)), str(memory.get("maxmemory_policy", "unknown"))
    )


async def _grade(client: Redis, probe_key: str) -> str:
    async with client.client() as one:  # WAITAOF speaks of the writes of its own connection
        await one.set(probe_key, "1", px=60_000)
        began = time.monotonic()
        try:
            local, _ = await one.waitaof(1, 0, 1500)
        except ResponseError:  # no append-only file, or a server before 7.2
            return await _grade_of_old_server(client)
        took_ms = (time.monotonic() - began) * 1000
    if local < 1:
        return "everysec"
    return "fsync" if took_ms < _EVERYSEC_MS else "everysec"


async def _grade_of_old_server(client: Redis) -> str:
    persistence = await client.info("persistence")
    return "everysec" if persistence.get("aof_enabled") else "memory"
