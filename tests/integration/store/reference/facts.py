"""The relay's own facts: what a store is to tell, and taking it out of one before anything else sees it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from relay.facts.kinds import DELIVERED, FACTS, OWN_SOURCE
from relay.store.keys import INBOX
from relay.store.records import Settlement
from relay.store.store import Store

ID_LENGTH = 36  # of a fact's receipt; the model's own are shorter
WINDOW_MS = 300_000
FOLLOWED = "route1"  # another route is told what its deliveries led to
GROUPED = ("sink_closed", "sink_opened")
ASKED = {
    **dict.fromkeys(FACTS, "each"),
    **dict.fromkeys(GROUPED, "each grouped"),
    f"{DELIVERED}|{FOLLOWED}": "each",
}
"""How routes ask for facts, as the store is told."""


@dataclass
class Window:
    """The time in which facts that are alike are counted, `count` of them since the first one that was told."""

    until: int
    count: int = 0


class Facts:
    """What was to be written, by kind, what it is about (a delivery's id, or route and sink), and of how many it is.

    A fact of a delivery, and each of others, is of one; those that are told together say of how many.
    """

    def __init__(self) -> None:
        self.written: Counter[tuple[str, str, str]] = Counter()
        self.windows: dict[tuple[str, str], Window] = {}

    def write(self, kind: str, about: str, now: int) -> None:
        """Note a transition."""
        self.written[kind, about, "each"] += 1
        if kind not in GROUPED:
            return
        window = self.windows.get((kind, about))
        if window and window.until > now:
            window.count += 1
        else:
            self._write(kind, about, 1 + (window.count if window else 0), now)

    def _write(self, kind: str, about: str, count: int, now: int) -> None:
        self.written[kind, about, str(count)] += 1
        self.windows[kind, about] = Window(now + WINDOW_MS)

    def end_windows(self, now: int) -> int:
        """Tell what was counted, where its window has ended. Returns how many facts that is."""
        ended = [(key, window) for key, window in self.windows.items() if window.until <= now]
        for key, window in ended:
            del self.windows[key]
            if window.count:
                self._write(*key, window.count, now)
        return sum(bool(window.count) for _, window in ended)


def followed(items: Sequence[Settlement]) -> list[Settlement]:
    """Return what attempts came to as a worker settles it that knows which route others follow."""
    return [replace(one, is_followed=one.delivery.route == FOLLOWED) for one in items]


class FactTaker:
    """Counts facts as the model does."""

    def __init__(self, store: Store) -> None:
        self.written: Counter[tuple[str, str, str]] = Counter()
        self._store = store

    async def take(self) -> None:
        """Take out all that has been told since the last time, with its counters."""
        client, keys = self._store.client, self._store.keys
        ids = [id.decode() for id in await client.zrange(keys.due(INBOX), 0, -1) if len(id) == ID_LENGTH]
        for id in ids:
            self._count(msgspec.json.decode(await client.get(keys.body(id))))
            assert await client.hget(keys.receipt(id), "src") == OWN_SOURCE.encode()
            await client.delete(keys.body(id), keys.receipt(id))
            await client.zrem(keys.receipts, id)
            await client.zrem(keys.due(INBOX), id)

    def _count(self, views: dict[str, dict[str, str]]) -> None:
        fact, delivery = views["fact"], views.get("delivery")
        about = delivery["id"] if delivery else f"{views['sink']['route']}|{views['sink']['name']}"
        is_each = fact["each"] == "1" or fact["kind"] == DELIVERED
        assert fact["count"] == "1" or not is_each
        self.written[fact["kind"], about, "each" if is_each else fact["count"]] += 1
