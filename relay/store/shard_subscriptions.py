"""Subscriptions over all shards as if they were one store's."""

from collections.abc import Callable, Collection, Mapping

from relay.model import Subscription
from relay.store.shard_list import FIRST
from relay.store.store import Store
from relay.store.subscriptions import Subscriptions


class AllSubscriptions(Subscriptions):
    """The subscriptions of every source, each in the shard of its source; ids are the first one's."""

    def __init__(self, shards: Callable[[], Mapping[str, Store]], shard_of: Callable[[str], str]) -> None:
        first = shards()[FIRST]
        super().__init__(first.client, first.namespace)
        self._shards = shards
        self._shard_of = shard_of

    def _of(self, source: str) -> Subscriptions:
        shard, shards = self._shard_of(source), self._shards()
        store = shards[shard]
        return Subscriptions(store.client, store.namespace, None if shard == FIRST else self._first.give_id)

    @property
    def _first(self) -> Subscriptions:
        store = self._shards()[FIRST]
        return Subscriptions(store.client, store.namespace)

    def _every(self) -> list[Subscriptions]:
        return [Subscriptions(store.client, store.namespace) for store in self._shards().values()]

    async def _subscribe(
        self, source: str, url: str, events: Collection[str], by: str, name: str, sort: int | None, *, replace: bool
    ) -> Subscription:
        of_source = self._of(source)
        change = of_source.replace if replace else of_source.subscribe
        return await change(source, url, events, by, name, sort)

    async def unsubscribe(
        self, source: str, url: str | None = None, events: Collection[str] = (), by: str = ""
    ) -> list[str]:
        """Take events from the subscriptions of a source."""
        return await self._of(source).unsubscribe(source, url, events, by)

    async def _set_disabled(self, id: int, disabled: bool, reason: str, over: int = 0) -> bool:
        found = await self.get(id)
        if found is None:
            return False
        return await self._of(found.source)._set_disabled(id, disabled, reason, over)

    async def version(self) -> int:
        """Return a number that rises with every change of any subscription."""
        return sum([await one.version() for one in self._every()])

    async def get(self, id: int) -> Subscription | None:
        """Return one subscription, or None where it is gone."""
        for shard, store in self._shards().items():
            found = await Subscriptions(store.client, store.namespace).get(id)
            if found is not None and self._shard_of(found.source) == shard:  # else its source has moved from there
                return found
        return None

    async def list(self, source: str) -> tuple[Subscription, ...]:
        """Return the subscriptions of a source in the order of `sort`, the oldest first."""
        return await self._of(source).list(source)

    async def sources(self) -> tuple[str, ...]:
        """Return the names of the sources that have subscriptions."""
        names = {name for one in self._every() for name in await one.sources()}
        return tuple(sorted(names))
