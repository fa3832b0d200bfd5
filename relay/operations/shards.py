"""List and add shards, and move a source from one to another."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from relay.accounts.note_keys import note_keys
from relay.accounts.source_health import load_health, save_health
from relay.config.suggestions import did_you_mean
from relay.errors import RelayError, StoreUnavailable
from relay.model import Record
from relay.store.acts import Author
from relay.store.formats import check_format
from relay.store.health import read_life, read_memory_use
from relay.store.moving import Carrier
from relay.store.reader import Reader
from relay.store.shard_list import FIRST, SHARD_NAME, Assignment, Ownership
from relay.store.shards import Shards
from relay.store.shared_state import SharedState
from relay.store.store import Store

MOST: Final = 99
SOURCE_JOBS: Final = ("listen", "drift")
"""The kinds of jobs that each source with an api has in its shard, as they are stored."""
JOBS_WAIT_MS: Final = 10 * 60_000  # while tokens are carried; where the source stays, its account is asked after that


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
        waiting, _ = await Reader(store.client, store.namespace).inbox()
    except StoreUnavailable as error:
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


class Moved(Record):
    """What was moved with a source; `moved` False: it is there already."""

    source: str
    shard: str
    moved: bool
    identities: int = 0  # of `once` deliveries, that were new there
    subscriptions: int = 0


async def move_source(shards: Shards, source: str, target: str, author: Author) -> Moved:
    """Move a source to another shard, where nothing of it is under way. Its hooks are refused meanwhile.

    Each step may be repeated: where it was cut off, it goes on. Back to the shard that it is still in, it is opened
    again. Raises RelayError where it cannot be, StoreUnavailable.
    """
    await shards.refresh()
    assigned = _check_move(shards, source, target)
    if assigned.shard == target and not assigned.moving:
        await _end_move(shards, source, assigned)
        return Moved(source=source, shard=target, moved=False)
    carrier = Carrier(source, shards.store(assigned.shard), shards.store(target), note_keys(source))
    if assigned.shard == target:
        await _open_again(shards, source, assigned)
        return Moved(source=source, shard=target, moved=False)
    if not assigned.moving:
        await _refuse_what_is_under_way(carrier, shards, source)
    closed = await _close(shards, source, assigned, target)
    try:
        await _put_off_jobs(carrier, shards, source)
        await _refuse_what_is_under_way(carrier, shards, source)  # nothing of it can begin any more
        identities = await carrier.carry_identities()
        await _check_unchanged(shards, source, closed)
        await _put_off_jobs(carrier, shards, source)  # that may have taken minutes
        await carrier.carry_state(closed.epoch)
        await _refuse_running_jobs(carrier, source)  # one that began before may have renewed the tokens meanwhile
    except RelayError as error:
        if not isinstance(error, StoreUnavailable):
            await _open_again(shards, source, closed)
        raise
    await _check_unchanged(shards, source, closed)
    await _begin_counting(shards.store(target), source)
    subscriptions = await carrier.carry_subscriptions(closed.epoch)
    await _check_unchanged(shards, source, closed)
    await carrier.end_jobs(_jobs_of(source))
    given = await shards.record.change(source, closed, target)
    await _end_move(shards, source, _unchanged(given, source))
    await shards.first.acts.note("move-source", f"source {source}", author, f"shard {assigned.shard}")
    return Moved(source=source, shard=target, moved=True, identities=identities, subscriptions=subscriptions)


def _check_move(shards: Shards, source: str, target: str) -> Assignment:
    """Return whose a source is. Raises RelayError where it cannot be moved there."""
    if not shards.list.several:
        raise RelayError("there is one shard: `relay shards add` makes another")
    if target not in shards.names:
        raise RelayError(f"there is no shard {target[:20]}, {did_you_mean(target, shards.names)}")
    assigned = shards.list.sources.get(source)
    if assigned is None:
        known = did_you_mean(source, shards.list.sources)
        raise RelayError(f"no shard has a source {source[:60]}, {known}: a new one gets its shard by its first hook")
    if assigned.moving and target not in (assigned.moving, assigned.shard):
        raise RelayError(
            f"{source} is on its way to {assigned.moving}: repeat that, or give {assigned.shard} to leave it there"
        )
    return assigned


async def _refuse_what_is_under_way(carrier: Carrier, shards: Shards, source: str) -> None:
    """Raise RelayError where something of a source is under way."""
    now = await Reader(shards.first.client, shards.first.namespace).now()
    if obstacles := await carrier.obstacles(now):
        raise RelayError(f"{source} is not idle: {'; '.join(obstacles)}")
    await _refuse_running_jobs(carrier, source)


async def _put_off_jobs(carrier: Carrier, shards: Shards, source: str) -> None:
    """Let no worker begin to ask the account: what it renews would not be carried."""
    now = await Reader(shards.first.client, shards.first.namespace).now()
    await carrier.put_off_jobs(_jobs_of(source), now + JOBS_WAIT_MS)


async def _refuse_running_jobs(carrier: Carrier, source: str) -> None:
    """Raise RelayError where a worker asks the account of a source: it may be renewing the tokens that are carried."""
    if await carrier.running_jobs(_jobs_of(source)):
        raise RelayError(f"{source} is not idle: a worker asks its account right now: try again in a minute")


async def _close(shards: Shards, source: str, assigned: Assignment, target: str) -> Assignment:
    """Have the old shard take nothing of a source any more; first the list says so.

    It is written anew where another command has done that: that one ends at its next step.
    """
    written = await shards.record.change(source, assigned, assigned.shard, moving=target)
    assigned = _unchanged(written, source)
    store = shards.store(assigned.shard)
    if not await Ownership(store.client, store.namespace).close(source, assigned.epoch):
        raise RelayError(f"{source} was given to another shard just now: try again")
    return assigned


async def _open_again(shards: Shards, source: str, closed: Assignment) -> None:
    """Leave a source where it is, and let it be taken there again."""
    written = await shards.record.change(source, closed, closed.shard)
    await _end_move(shards, source, _unchanged(written, source))


async def _end_move(shards: Shards, source: str, assigned: Assignment) -> None:
    """Let the shard of a source know that it is its own. A web process does that, too, where this is cut off before."""
    store = shards.store(assigned.shard)
    await Ownership(store.client, store.namespace).own(source, assigned.epoch)
    await shards.refresh()


async def _check_unchanged(shards: Shards, source: str, assigned: Assignment) -> None:
    """Raise RelayError where somebody else moves a source by now, or has moved it: nothing may be written over that."""
    found = (await shards.record.read()).sources.get(source)
    _unchanged(found if found == assigned else None, source)


def _unchanged(written: Assignment | None, source: str) -> Assignment:
    """Return what was written. Raises RelayError where somebody else wrote meanwhile."""
    if written is None:
        raise RelayError(f"{source} is being moved by somebody else: look at `relay shards list`")
    return written


async def _begin_counting(store: Store, source: str) -> None:
    """Let the health of a source count its hooks from what the new shard has counted of it."""
    shared, reader = SharedState(store.client, store.namespace), Reader(store.client, store.namespace)
    if (health := await load_health(shared, source)) is not None:
        await save_health(shared, source, replace(health, received=await reader.received(source)))


def _jobs_of(source: str) -> list[str]:
    return [f"{kind}:{source}" for kind in SOURCE_JOBS]


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
    if owned or life.since is not None or await store.registry.sources():
        tag = store.keys.prefix.rstrip(":")
        raise RelayError(f"keys of an earlier time are under {tag}: remove them, or choose another name")
