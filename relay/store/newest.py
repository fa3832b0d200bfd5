"""The index of the newest receipts of each source, event, route and sink, and of each state of events.

Lists are looked through from the newest row on. What is common is found at once so; what is rare stands here.
"""

from collections.abc import Mapping
from typing import Final

from redis.asyncio import Redis

from relay.events import EVENT_ENTITIES
from relay.model import Record
from relay.store.commands import run_command
from relay.store.fields import NewestField
from relay.store.keys import Keys
from relay.store.requests import OTHER_EVENTS
from relay.store.scripts import Caller, Script

KEPT: Final = 500
"""Of each value. What more receipts than these have is common enough to be found without."""

_KNOWN: Final = sorted(EVENT_ENTITIES)
_INDEX = Script("index_newest", "_walking", "_packed", "_put_off_rows")
_SETTLED_MS: Final = 1_000  # nothing arrives before that any more


class NewestReceipts(Record):
    """Which receipts have a value: those of `key`, and all that arrived since or until a time may have it too."""

    key: str
    since: int
    until: int | None  # None: all that have it and arrived before `since` are in the key


class NewestIndex:
    """The index of one relay. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)

    async def index(self, now: int, most: int) -> bool:
        """Index some more, with so many commands of the store. Returns whether there is more."""
        request = {"most": most, "kept": KEPT, "until": now - _SETTLED_MS, "known": _KNOWN, "other": OTHER_EVENTS}
        return bool(await self._call(_INDEX, request))

    async def find_rarest(self, values: Mapping[str, str]) -> NewestReceipts | None:
        """Return which receipts have the rarest of some values, by what each is: "event", "route"… None: no index."""
        keys = [self._keys.newest(kind, _listed_name(kind, value)) for kind, value in values.items()]
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.hmget(self._keys.newest_index, NewestField.SCORE, NewestField.KEPT)
            for key in keys:
                pipe.zcard(key)
                pipe.zrange(key, 0, 0, withscores=True)
            (score, kept), *found = await run_command(pipe.execute())
        if not keys or kept is None or int(kept) != KEPT:
            return None
        count, first, key = min(zip(found[::2], found[1::2], keys, strict=True), key=lambda one: one[0])
        return NewestReceipts(key=key, since=int(score), until=int(first[0][1]) if count >= KEPT else None)


def _listed_name(kind: str, value: str) -> str:
    return OTHER_EVENTS if kind == "event" and value not in EVENT_ENTITIES else value
