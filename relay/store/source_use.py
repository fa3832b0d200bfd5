"""How much of the store each source's hooks take, of what they may: one that floods leaves room for the others."""

from collections.abc import Mapping
from typing import Final

from redis.asyncio import Redis

from relay.store.commands import run_command
from relay.store.counters import read_counters
from relay.store.fields import Counter
from relay.store.health import FULL_AT, MemoryUse
from relay.store.keys import Keys

RECORD_BYTES: Final = 3_000  # about: what a hook takes beside its body, with its events and deliveries


def use_fields(source: str) -> tuple[str, ...]:
    """Return the counters that say what of a source is stored: bytes and hooks, and how many of both were removed."""
    return (
        f"{Counter.BYTES}|{source}",
        f"{Counter.RECEIPT}|{source}|accepted",
        f"{Counter.RECEIPT}|{source}|recovered",
        f"{Counter.REMOVED}|{source}|bytes",
        f"{Counter.REMOVED}|{source}|receipts",
    )


async def read_source_fills(client: Redis, keys: Keys, memory: MemoryUse) -> dict[str, float]:
    """Return which part of its share each source takes, about; 1 and more: it is full. Raises StoreUnavailable.

    None has a share where there is one source alone, or the store has no limit.
    """
    if not memory.limit:
        return {}
    async with client.pipeline(transaction=False) as pipe:
        pipe.hgetall(keys.shares)
        pipe.smembers(keys.sources)
        shares, known = await run_command(pipe.execute())
    if not shares:
        return {}
    sources = sorted(name.decode() for name in known | shares.keys())
    counters = await read_counters(client, keys)
    weights = {name: _weight(*[counters[field] for field in use_fields(name)]) for name in sources}
    return fills(weights, {name.decode(): float(share) for name, share in shares.items()}, memory)


def fills(weights: Mapping[str, int], shares: Mapping[str, float], memory: MemoryUse) -> dict[str, float]:
    """Return which part of its share each source takes, where all of them together take what is used. Pure."""
    total, room = sum(weights.values()), memory.limit * FULL_AT
    if not total or not room:
        return {}
    return {name: weights.get(name, 0) / total * memory.used / (room * share) for name, share in shares.items()}


def _weight(size: int, accepted: int, recovered: int, removed_size: int, removed: int) -> int:
    return max(size - removed_size, 0) + max(accepted + recovered - removed, 0) * RECORD_BYTES
