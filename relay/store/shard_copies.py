"""Copies of the list of shards, one in each further shard: by them a process begins while the first shard is away.

A copy may be old. It is enough to find out which shards there are and to ask them: a shard knows by itself what it
owns, and takes nothing else. A source is left out whose shard cannot say that it owns it: two would ask its account,
each with the tokens of its own. The home of a sink never changes.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from relay.errors import StoreUnavailable
from relay.logs import log
from relay.store.cluster import ASK_SECONDS, ClusterNodes
from relay.store.keys import Keys
from relay.store.scripts import Caller, Script
from relay.store.shard_list import FIRST, Ownership, ShardList, shard_namespace
from relay.store.store import Store

_KEEP: Final = Script("keep_shard_list")
_MOST: Final = 99
_LIST: Final = msgspec.json.Decoder(ShardList)


async def keep_copies(known: ShardList, stores: Mapping[str, Store]) -> None:
    """Keep the list in the further shards. One that is away goes on with the copy that it has.

    One that has lost everything takes nothing from then on but what the list says that it owns.
    """
    request = {"epoch": known.epoch, "list": msgspec.json.encode(known).decode()}
    for name, store in stores.items():
        if name == FIRST:
            continue
        try:
            await Ownership(store.client, store.namespace).begin()
            await Caller(store.client, store.keys.prefix)(_KEEP, request)
        except StoreUnavailable as error:
            log.warning("shards.not_copied", shard=name, reason=str(error))


async def find_copy(nodes: ClusterNodes, namespace: str) -> ShardList | None:
    """Return the newest copy of the list that any node has; None where none has one, or answers."""
    names = [f"{n:02}" for n in range(1, _MOST + 1)]
    found = await nodes.read_texts([Keys(shard_namespace(namespace, name)).shards_copy for name in names])
    lists = [_LIST.decode(text.partition(b"|")[2]) for text in found]
    return max(lists, key=lambda one: one.epoch, default=None)


async def drop_unowned(copy: ShardList, stores: Mapping[str, Store]) -> ShardList:
    """Return a copy without the sources that their shards do not own, or that cannot be asked for it."""
    owned = {name: await _read_owned(store) for name, store in stores.items()}
    sources = {name: one for name, one in copy.sources.items() if name in owned.get(one.shard, ())}
    return replace(copy, sources=sources)


async def _read_owned(store: Store) -> set[str]:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return await Ownership(store.client, store.namespace).read() or set()
    except (TimeoutError, StoreUnavailable):
        return set()
