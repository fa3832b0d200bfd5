"""List and add shards, and say which source belongs to which."""

from collections.abc import Sequence
from typing import Final

from relay.errors import RelayError, StoreUnavailable
from relay.model import Record
from relay.store.acts import Author
from relay.store.formats import check_format
from relay.store.health import read_life, read_memory_use
from relay.store.shard_list import FIRST, SHARD_NAME, Ownership
from relay.store.shards import Shards
from relay.store.store import Store

MOST: Final = 99


class ListedShard(Record):
    """A shard. `away`: why its store could not be asked; then nothing else is known but its sources."""

    name: str
    sources: Sequence[str]
    moving: Sequence[str]  # sources that are on their way to another shard
    used: int | None = None  # bytes of its server, which may have other shards
    limit: int | None = None
    waiting: int | None = None  # hooks that are to be routed
    away: str = ""


async def list_shards(shards: Shards) -> list[ListedShard]:
    """Return how all shards stand. Raises StoreUnavailable where the first one is away."""
    return [await _look_at(shards, name) for name in shards.names]


async def _look_at(shards: Shards, name: str) -> ListedShard:
    assigned = {source: one for source, one in shards.list.sources.items() if one.shard == name}
    found = ListedShard(
        name=name, sources=sorted(assigned), moving=sorted(source for source, one in assigned.items() if one.moving)
    )
    store = shards.store(name)
    try:
        memory = await read_memory_use(store.client)
        waiting = await store.client.zcard(store.keys.due("inbox"))
    except (StoreUnavailable, OSError) as error:
        return ListedShard(name=name, sources=found.sources, moving=found.moving, away=str(error))
    return ListedShard(
        name=name,
        sources=found.sources,
        moving=found.moving,
        used=memory.used,
        limit=memory.limit,
        waiting=waiting,
    )


async def add_shard(shards: Shards, name: str | None, author: Author) -> str:
    """Add a shard, by default under the next free name, and return its name. Sources that are new may become its own.

    Each step may be repeated. Raises RelayError where there cannot be one of that name, StoreUnavailable.
    """
    await shards.refresh()
    chosen = _choose_name(shards.names, name)
    store = shards.store(chosen)
    await _check_unused(store)
    # The list of what it owns is there before anybody can send it anything: from then on it takes nothing else.
    await Ownership(store.client, store.namespace).begin()
    await shards.record.add(chosen)
    await shards.first.acts.note("add-shard", f"shard {chosen}", author)
    await shards.refresh()
    return chosen


def _choose_name(names: Sequence[str], name: str | None) -> str:
    free = (f"{n:02}" for n in range(1, MOST + 1))
    chosen = name or next((one for one in free if one not in names), "")
    if not chosen:
        raise RelayError(f"there are {MOST + 1} shards already, the most that there may be")
    if not SHARD_NAME.fullmatch(chosen) or chosen == FIRST:
        raise RelayError(f"{chosen[:20]!r} cannot be the name of a further shard: it is two digits, from 01 to {MOST}")
    if chosen in names:
        raise RelayError(f"there is a shard {chosen} already: leave the name out for the next free one")
    return chosen


async def _check_unused(store: Store) -> None:
    """Check that nothing of another relay, or of an earlier time, is in a shard's slot."""
    life = await read_life(store.client, store.keys.life)
    check_format(life.format)
    owned = await Ownership(store.client, store.namespace).read()
    if owned or life.since is not None or await store.registered_sources():
        tag = store.keys.prefix.rstrip(":")
        raise RelayError(f"keys of an earlier time are under {tag}: remove them, or choose another name")
