"""Act on all shards as if they were one store: what is one source's where it is, what is the relay's in the first."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace as with_fields

from relay.model import NewDelivery, RoutedReceipt, is_subscriber
from relay.store.acts import Act, Acts, AuditEntry, Author
from relay.store.put_off import PutOff
from relay.store.put_off_rows import PutOffDelivery
from relay.store.readers import Readers
from relay.store.shard_actions import AllActions
from relay.store.shard_list import FIRST
from relay.store.shard_subscriptions import AllSubscriptions
from relay.store.store import Store
from relay.store.wire.acts import ActAnswer, ReplayAnswer

T = TypeVar("T")


class Stores(Store):
    """`shards`: the store of each, by name, the first one's first; `readers` reads them.

    `shard_of`: whose a source is; `home_of`: where the gate of a sink is, None where that is not known.
    """

    def __init__(
        self,
        shards: Callable[[], Mapping[str, Store]],
        readers: Readers,
        shard_of: Callable[[str], str],
        home_of: Callable[[str], str | None],
    ) -> None:
        first = shards()[FIRST]
        super().__init__(first.client, first.namespace)
        self._shards = shards
        self._shard_of = shard_of
        self._home_of = home_of
        self.acts = _AllActs(self, readers)
        self.actions = AllActions(shards, readers)
        self.subscriptions = AllSubscriptions(shards, shard_of)
        self.put_off = _AllPutOff(self)

    def of_source(self, source: str) -> Store:
        """Return the shard that has a source."""
        return self._shards()[self._shard_of(source)]

    def of_gate(self, sink: str) -> list[Store]:
        """Return the shard that has a sink's gate; a subscriber's is where its deliveries are: in any of them."""
        home = None if is_subscriber(sink) else self._home_of(sink)
        return self.all() if home is None else [self._shards()[home]]

    def all(self) -> list[Store]:
        """Return every shard, the first before all others."""
        return list(self._shards().values())


class OneOfSeveral(Store):
    """One shard of several by itself; `of_gate` returns the shard that has a sink's gate."""

    def __init__(self, store: Store, of_gate: Callable[[str], Store]) -> None:
        super().__init__(store.client, store.namespace)
        self.acts = _ActsOfOne(store, of_gate)


class _ActsOfOne(Acts):
    def __init__(self, store: Store, of_gate: Callable[[str], Store]) -> None:
        super().__init__(store.client, store.namespace)
        self._of_gate = of_gate

    async def _set_pause(self, sink: str, act: str, author: Author, until: int) -> tuple[bool, str, str]:
        return await self._of_gate(sink).acts._set_pause(sink, act, author, until)


async def _first_that(
    shards: Sequence[Store], call: Callable[[Store], Awaitable[T]], is_meant: Callable[[T], bool]
) -> T:
    """Return the answer of the first shard that is meant, else the first one's. Raises StoreUnavailable."""
    answers = []
    for one in shards:
        answer = await call(one)
        if is_meant(answer):
            return answer
        answers.append(answer)
    return answers[0]


class _AllActs(Acts):
    """What people do, where it is to be done."""

    def __init__(self, stores: Stores, readers: Readers) -> None:
        super().__init__(stores.client, stores.namespace)
        self._stores = stores
        self._readers = readers

    async def _act(self, id: str, act: Act, author: Author, *content: bytes, **more: Any) -> ActAnswer:
        answer = await _first_that(
            self._stores.all(),
            lambda one: one.acts._act(id, act, author, *content, **more),
            lambda answer: answer.code != "gone",
        )
        return await self._with_obstacle(id, answer)

    async def _with_obstacle(self, id: str, answer: ActAnswer) -> ActAnswer:
        """Add what keeps it back now, where the gate of its sink is in another shard."""
        if answer.obstacle or answer.code != "done":
            return answer
        for found in await self._readers.deliveries([id]):
            obstacle = f"paused: {found.paused}" if found.paused else f"closed: {found.closed}" if found.closed else ""
            return with_fields(answer, obstacle=obstacle)
        return answer

    async def render(
        self, id: str, author: Author, anew: NewDelivery, queue: str, config: str, *, force: bool = False
    ) -> ActAnswer:
        """Send what a configuration of this version makes of a delivery now."""
        return await _first_that(
            self._stores.all(),
            lambda one: one.acts.render(id, author, anew, queue, config, force=force),
            lambda answer: answer.code != "gone",
        )

    async def replay(self, part: RoutedReceipt, author: Author) -> ReplayAnswer:
        """Write what a receipt that was routed before comes to now."""
        return await _first_that(
            self._stores.all(), lambda one: one.acts.replay(part, author), lambda answer: answer.code != "gone"
        )

    async def _set_pause(self, sink: str, act: str, author: Author, until: int) -> tuple[bool, str, str]:
        """Set the pause where the sink's gate is. Where that is away, the person is told so by the error."""
        answers = [await one.acts._set_pause(sink, act, author, until) for one in self._stores.of_gate(sink)]
        return next((answer for answer in answers if answer[0]), answers[0])

    async def audit(self, limit: int, before: str | None = None) -> list[AuditEntry]:
        """Return the newest acts, the newest first."""
        if len(self._stores.all()) == 1:
            return await super().audit(limit, before)
        found = await self._readers.ask(lambda one: Acts(one.client, one.namespace).audit(limit, before))
        return sorted((entry for entries in found.values() for entry in entries), key=_by_time, reverse=True)[:limit]


def _by_time(entry: AuditEntry) -> tuple[int, int]:
    at, _, number = entry.id.partition("-")
    return int(at), int(number or 0)


class _AllPutOff(PutOff):
    """What is put off, in every shard."""

    def __init__(self, stores: Stores) -> None:
        super().__init__(stores.client, stores.namespace)
        self._stores = stores

    async def find_all(self, ids: Collection[str], sinks: Collection[str] = ()) -> dict[str, PutOffDelivery]:
        """Return those of these deliveries that are put off, by id."""
        found = [await one.put_off.find_all(ids, sinks) for one in self._stores.all()]
        return {id: one for part in found for id, one in part.items()}

    async def cancel(self, delivery: PutOffDelivery, author: Author) -> str:
        """Give one up."""
        return await _first_that(
            self._stores.all(), lambda one: one.put_off.cancel(delivery, author), lambda code: code != "gone"
        )
