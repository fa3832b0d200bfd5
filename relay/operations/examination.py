"""Read what a diagnosis is made of: the store, its queues, the sinks and the sources."""

import time
from collections.abc import Mapping, Sequence

from relay.accounts.source_health import SourceHealth, load_health
from relay.config.config import Config
from relay.model import Record
from relay.store.health import Durability, MemoryUse, read_durability, read_memory_use
from relay.store.queues import SinkState
from relay.store.reader import Reader
from relay.store.shared_state import SharedState


class Examination(Record):
    """The readings. Times are epoch milliseconds."""

    durability: Durability
    memory: MemoryUse
    clock_skew_ms: int  # the store's clock minus this machine's
    oldest_unrouted_ms: int | None
    sinks: Sequence[SinkState]
    sources: Mapping[str, SourceHealth | None]  # those with an api; None: no worker has checked it yet
    now: int


async def examine(reader: Reader, config: Config, namespace: str) -> Examination:
    """Take all readings. Raises StoreUnavailable."""
    shared = SharedState(reader.client, namespace)
    before = time.time_ns() // 1_000_000
    now = await reader.now()
    after = time.time_ns() // 1_000_000
    return Examination(
        durability=await read_durability(reader.client, reader.keys.probe),
        memory=await read_memory_use(reader.client),
        clock_skew_ms=now - (before + after) // 2,
        oldest_unrouted_ms=await reader.oldest_unrouted(now),
        sinks=await reader.sinks(),
        sources={name: await load_health(shared, name) for name in config.sources_with_api},
        now=now,
    )
