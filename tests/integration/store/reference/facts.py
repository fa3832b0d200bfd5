"""Take the relay's own facts out of a store, before anything else sees them."""

from collections import Counter

import msgspec

from relay.facts.kinds import OWN_SOURCE
from relay.store.keys import INBOX
from relay.store.store import Store

ID_LENGTH = 36  # of a fact's receipt; the model's own are shorter


class FactTaker:
    """Counts facts by kind and what they are about: route and sink."""

    def __init__(self, store: Store) -> None:
        self.facts: Counter[tuple[str, str]] = Counter()
        self._store = store

    async def take(self) -> None:
        """Take out all that has been told since the last time, with its counters."""
        client, keys = self._store.client, self._store.keys
        ids = [id.decode() for id in await client.zrange(keys.due(INBOX), 0, -1) if len(id) == ID_LENGTH]
        for id in ids:
            body = await client.get(keys.body(id))
            views = msgspec.json.decode(body)
            about = views.get("delivery") or {**views["sink"], "sink": views["sink"]["name"]}
            self.facts[views["fact"]["kind"], f"{about['route']}|{about['sink']}"] += 1
            assert views["fact"]["each"] == "1"
            assert await client.hget(keys.receipt(id), "src") == OWN_SOURCE.encode()
            await client.delete(keys.body(id), keys.receipt(id))
            await client.zrem(keys.receipts, id)
            await client.zrem(keys.due(INBOX), id)
