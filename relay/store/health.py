"""Examine the store: what it survives, how full it is, whether it can be written to."""

import time
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from relay.errors import StoreUnavailable
from relay.model import Record
from relay.store.commands import run_command
from relay.store.connections import ConnectionsInTurn
from relay.store.fields import LifeField

FULL_AT = 0.85  # of maxmemory: deliveries must still have room to finish
_PROBE_MS = 60_000
_EVERYSEC_MS = 150  # a WAITAOF slower than this waited for the second to end
_KINDS = {
    "data": ("used_memory_dataset",),
    "connections": ("mem_clients_normal", "mem_clients_slaves"),
    "log and replicas": ("mem_aof_buffer", "mem_total_replication_buffers"),
    "scripts": ("used_memory_scripts", "used_memory_functions"),
    "the server itself": ("used_memory_startup",),
}
_GRADES = {"always": "fsync", "everysec": "everysec"}  # by appendfsync; "no" leaves it to the system, for half a minute


class MemoryUse(Record):
    """How full the store is, in bytes. A limit of 0: there is none.

    `kinds`: what is used, by what it is for; of `INFO memory`, and of managed servers only what these tell.
    """

    used: int
    limit: int
    kinds: Mapping[str, int] = {}

    @property
    def full(self) -> bool:
        """Return whether hooks must be refused, so that what is stored can be finished."""
        return self.limit > 0 and self.used >= self.limit * FULL_AT


class MemorySample(Record):
    """How many bytes were used at a time (epoch milliseconds)."""

    at: int
    used: int


class Durability(Record):
    """What the store survives.

    `fsync`: a crash of its machine; `everysec`: a crash, but for the last second; `memory`: nothing survives a restart.
    """

    grade: str
    replicas: int
    policy: str  # which keys it evicts when it is full; "noeviction" is right

    def __str__(self) -> str:
        return self.grade + ("+replica" if self.replicas else "")

    @property
    def weakness(self) -> str:
        """Why RELAY_DURABILITY=strict refuses the store; "" where it does not."""
        if self.grade != "fsync" and str(self) != "everysec+replica":
            return f"the store's grade is {self}: `fsync` or `everysec+replica` is wanted, set appendfsync always"
        if self.policy not in ("noeviction", "unknown"):
            return f"the store evicts ({self.policy}): a full one deletes hooks, set maxmemory-policy noeviction"
        return ""


class StoreLife(Record):
    """Since when the store is in use, and when a worker found that everything in it had been deleted. Milliseconds."""

    since: int | None  # None: no worker has looked at it yet
    emptied_at: int | None = None
    format: int = 0  # `relay.store.formats`
    shards: int = 0  # the epoch of the list of shards, 0 where there is one shard (`relay.store.shard_list`)


async def read_life(client: Redis, key: str) -> StoreLife:
    """Read since when the store is in use. Raises StoreUnavailable."""
    fields = [LifeField.SINCE, LifeField.EMPTIED, LifeField.FORMAT, LifeField.SHARDS]
    since, emptied_at, stored, shards = await run_command(client.hmget(key, fields))
    return StoreLife(
        since=since and int(since),
        emptied_at=emptied_at and int(emptied_at),
        format=int(stored or 0),
        shards=int(shards or 0),
    )


async def read_memory_use(client: Redis) -> MemoryUse:
    """Read how full the store is. Raises StoreUnavailable."""
    info = await run_command(client.info("memory"))
    kinds = {kind: sum(int(info.get(field, 0)) for field in fields) for kind, fields in _KINDS.items()}
    used = int(info.get("used_memory", 0))
    return MemoryUse(
        used=used, limit=int(info.get("maxmemory", 0)), kinds={kind: size for kind, size in kinds.items() if size}
    )


async def read_memory_samples(client: Redis, key: str) -> list[MemorySample]:
    """Read the hourly samples of how full the store was, the newest first. Raises StoreUnavailable."""
    rows = [row.decode().split("|") for row in await run_command(client.lrange(key, 0, -1))]
    return [MemorySample(at=int(at), used=int(used)) for at, used, _ in rows]


async def check_writable(client: Redis, probe_key: str) -> None:
    """Write something that is gone in a minute. Raises StoreUnavailable where the store takes no writes."""
    await run_command(client.set(probe_key, "1", px=_PROBE_MS))


async def read_durability(client: Redis, probe_key: str) -> Durability:
    """Grade the store by its configuration, or where that may not be read, by timing a write to disk.

    The timing is less reliable: Valkey 9.1 with everysec answers WAITAOF before it has synced.
    Raises StoreUnavailable.
    """
    replication, memory = await _read_replication(client), await run_command(client.info("memory"))
    if replication.get("role") != "master":
        raise StoreUnavailable("the store is a replica: it takes no writes; give REDIS_URL the master's address")
    grade = await run_command(_grade(client, probe_key))
    return Durability(
        grade=grade,
        replicas=int(replication.get("connected_slaves", 0)),
        policy=str(memory.get("maxmemory_policy", "unknown")),
    )


async def _read_replication(client: Redis) -> dict[str, Any]:
    """Ask the server for its role; where that is a replica, once more over new connections.

    After a failover the store's name means another server, and a replica goes on answering reads.
    """
    replication: dict[str, Any] = await run_command(client.info("replication"))
    if replication.get("role") != "master":
        assert isinstance(client.connection_pool, ConnectionsInTurn)  # as `connect` returns it
        await client.connection_pool.drop()
        replication = await run_command(client.info("replication"))
    return replication


async def _grade(client: Redis, probe_key: str) -> str:
    try:
        settings = await client.config_get("append*")
    except ResponseError:  # managed servers forbid it
        settings = {}
    if "appendfsync" not in settings:
        return await _grade_by_timing(client, probe_key)
    return _GRADES.get(settings["appendfsync"] or "", "memory") if settings["appendonly"] == "yes" else "memory"


async def _grade_by_timing(client: Redis, probe_key: str) -> str:
    async with client.client() as connection:  # WAITAOF is about the writes of its own connection
        try:
            # A store that syncs every second does so at once if it was idle, and any store may be slow once.
            slow = 0
            for _ in range(3):
                slow += await _sync_ms(connection, probe_key) > _EVERYSEC_MS
                if slow == 2:
                    return "everysec"
        except ResponseError:  # no append-only file, or a server before 7.2
            return await _grade_of_old_server(client)
    return "fsync"


async def _sync_ms(connection: Redis, probe_key: str) -> float:
    """Return how long a write takes to be on disk."""
    await connection.set(probe_key, "1", px=_PROBE_MS)
    began = time.monotonic()
    synced, _ = await connection.waitaof(1, 0, 1500)
    return (time.monotonic() - began) * 1000 if synced else float("inf")


async def _grade_of_old_server(client: Redis) -> str:
    persistence = await client.info("persistence")
    return "everysec" if persistence.get("aof_enabled") else "memory"
