"""Act on all shards as if they were one store: what is one source's where it is, what is the relay's in the first."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from msgspec.structs import replace as with_fields

from relay.errors import StoreUnavailable
from relay.model import NewDelivery, RoutedReceipt, Subscription, is_subscriber
from relay.store.actions import ActionItem, Actions, ActionState, NewAction, StoredAction
from relay.store.acts import Act, Acts, AuditEntry, Author
from relay.store.put_off import PutOff
from relay.store.put_off_rows import PutOffDelivery
from relay.store.readers import Readers
from relay.store.shard_list import FIRST
from relay.store.store import Store
from relay.store.subscriptions import Subscriptions
from relay.store.wire.acts import ActAnswer, ReplayAnswer

T = TypeVar("T")
_NUMBERS: Final = 10**9  # of the items of an action in one shard
_STATES: Final = (ActionState.RUNNING, ActionState.PAUSED, ActionState.FAILED, ActionState.ABORTED, ActionState.DONE)
"""Which of the states of an action's parts is that of the whole: the first that one has."""


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
        self.actions = _AllActions(self, readers)
        self.subscriptions = AllSubscriptions(shards, shard_of)
        self.put_off = _AllPutOff(self)

    def of_source(self, source: str) -> Store:
        """Return the shard that has a source."""
        return self._shards()[self._shard_of(source)]

    def of_gate(self, sink: str) -> list[Store]:
        """Return the shard that has a sink's gate; a subscriber's is where its deliveries are: in any of them."""
        home = None if is_subscriber(sink) else self._home_of(sink)
        return self.all() if home is None else [self._shards()[home]]

    def by_name(self) -> Mapping[str, Store]:
        """Return every shard by its name, the first before all others."""
        return self._shards()

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


class _AllActions(Actions):
    """Bulk actions: a row of one id in every shard, each with the items there; the first one's is the parent of all.

    It says which shards are meant, and ends last: a worker of the first shard starts what has no row yet
    (`workers/action_parts.py`). What is read is of the shards that answer.
    """

    def __init__(self, stores: Stores, readers: Readers) -> None:
        super().__init__(stores.client, stores.namespace)
        self._stores = stores
        self._readers = readers

    async def start(self, action: NewAction, author: Author) -> str:
        """Start one in all shards, unless another of its kind and filter has not ended in the first."""
        first, *others = self._stores.by_name().items()
        actions = first[1].actions
        running = await actions.start(with_fields(action, shards=list(self._stores.by_name())), author)
        for started in await actions.read([running]) if running == action.id else ():
            for name, store in others:
                with suppress(StoreUnavailable):  # it begins there when that shard is back
                    await actions.begin_part(started, name, store.actions)
        return running

    async def change(self, id: str, act: str, author: Author) -> tuple[bool, str]:
        """Pause, resume, abort, finish or fail one in all shards.

        Raises StoreUnavailable where one was away: the others were told.
        """
        answers, away = list[tuple[bool, str]](), list[str]()
        for name, one in self._stores.by_name().items():
            try:
                answers.append(await one.actions.change(id, act, author))
            except StoreUnavailable as error:
                away.append(f"shard {name} is away: {error}")
        if away:
            raise StoreUnavailable(f"{'; '.join(away)}; the others were told: do it again when all are back")
        return next((answer for answer in answers if answer[0]), answers[0])

    async def read(self, ids: Sequence[str]) -> list[StoredAction]:
        """Read actions; those that are gone are left out."""
        parts = await self._ask(lambda actions: _read_parts(actions, ids))
        away = self._readers.away
        found = [{name: of_shard[id] for name, of_shard in parts.items() if id in of_shard} for id in ids]
        return [_whole(one, away) for one in found if one]

    async def newest(self, limit: int, before: tuple[int, str] | None = None) -> list[StoredAction]:
        """Return the newest, the newest first."""
        ids: dict[str, int] = {}
        for actions in (await self._ask(lambda one: one.newest(limit, before))).values():
            ids |= {one.id: one.at for one in actions}
        newest = sorted(ids, key=lambda id: (ids[id], id), reverse=True)
        return await self.read(newest[:limit])

    async def open_erasures(self) -> list[StoredAction]:
        """Return the erasures that are neither done nor given up, those that failed too, the oldest first."""
        found = await self._ask(lambda actions: actions.open_erasures())
        ids = {one.id: one.at for of_shard in found.values() for one in of_shard}
        return await self.read(sorted(ids, key=lambda id: ids[id]))

    async def items(self, id: str, limit: int, after: int = 0) -> list[ActionItem]:
        """Return what an action has touched behind this number: what it has in one shard, then that of the next."""
        shard, number = divmod(after, _NUMBERS)
        of_shards = await self._ask(lambda actions: actions.items(id, limit, number))
        of_next = await self._ask(lambda actions: actions.items(id, limit)) if number else of_shards
        found: list[ActionItem] = []
        for n, name in enumerate(self._stores.by_name()):
            if n >= shard:
                items = (of_shards if n == shard else of_next).get(name, [])
                found += [with_fields(one, number=n * _NUMBERS + one.number) for one in items]
        return found[:limit]

    async def _ask(self, call: Callable[[Actions], Awaitable[T]]) -> dict[str, T]:
        """Ask the shards that answer."""
        return await self._readers.ask(lambda one: call(Actions(one.client, one.namespace)))


async def _read_parts(actions: Actions, ids: Sequence[str]) -> dict[str, StoredAction]:
    return {one.id: one for one in await actions.read(ids)}


def _whole(by_shard: Mapping[str, StoredAction], away: Mapping[str, str]) -> StoredAction:
    """Return an action from its parts. `away`: the shards that could not be asked, and why."""
    parts = list(by_shard.values())
    states = {part.state for part in parts}
    results: dict[str, int] = {}
    for part in parts:
        for result, n in part.results.items():
            results[result] = results.get(result, 0) + n
    ended = [part.ended_at for part in parts if part.ended_at is not None]
    return with_fields(
        parts[0],
        state=next(state for state in _STATES if state in states),
        total=sum(part.total for part in parts),
        looked=sum(part.looked for part in parts),
        results=results,
        waits=_missing(by_shard, away) or next((part.waits for part in reversed(parts) if part.waits), ""),
        problem=next((part.problem for part in parts if part.problem), ""),
        ended_at=max(ended) if len(ended) == len(parts) else None,
    )


def _missing(by_shard: Mapping[str, StoredAction], away: Mapping[str, str]) -> str:
    """Return which parts of an action that has not ended are not there, in words."""
    parent = by_shard.get(FIRST)
    if parent is None or parent.ended_at is not None:
        return ""
    found = [f"shard {name} is away: {away[name]}" for name in parent.shards if name in away]
    found += [
        f"it has not begun in shard {name}"
        for name in parent.shards
        if name not in away and name not in by_shard and name not in parent.begun
    ]
    return "; ".join(found)


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
