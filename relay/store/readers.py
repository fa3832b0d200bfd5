"""Read all shards as if they were one store: what is one source's where it is, lists and counts over all of them."""

import asyncio
import time
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Final, TypeVar

from relay.errors import StoreUnavailable
from relay.model import Attempt, Receipt, ReceiptState
from relay.store.gate import GateChange
from relay.store.queues import AccountState, DueWork, SinkState, greatest
from relay.store.reader import Reader
from relay.store.shard_list import FIRST
from relay.store.stored import StoredDelivery, StoredReceipt

AWAY_SECONDS: Final = 5.0  # in which a shard that did not answer is not asked again
T = TypeVar("T")


class Readers(Reader):
    """`shards`: a reader of each, by name, the first one's first; `shard_of`: whose a source is.

    What is asked of all is answered by those that can be reached, and `away` names the others, with the reason. What is
    asked for by an id, and found nowhere while one is away, raises StoreUnavailable: it may be there.
    """

    def __init__(self, shards: Callable[[], Mapping[str, Reader]], shard_of: Callable[[str], str]) -> None:
        first = shards()[FIRST]
        super().__init__(first.client, first.namespace)
        self._shards = shards
        self._shard_of = shard_of
        self._away: dict[str, tuple[float, str]] = {}  # until when each is not asked, and why

    @property
    def away(self) -> dict[str, str]:
        """Which shards could not be reached lately, and why."""
        now = time.monotonic()
        return {name: reason for name, (until, reason) in self._away.items() if until > now}

    @property
    def each(self) -> Mapping[str, Reader]:
        """Return a reader of every shard, by name."""
        shards = self._shards()
        return {FIRST: self} if len(shards) == 1 else shards

    def of_source(self, source: str) -> Reader:
        """Return a reader of the shard that has a source."""
        return self if self._is_one() else self._shards()[self._shard_of(source)]

    def _is_one(self) -> bool:
        return len(self._shards()) == 1

    async def ask(self, call: Callable[[Reader], Awaitable[T]]) -> dict[str, T]:
        """Ask all shards at once; those that are away are left out. Raises StoreUnavailable where all are."""
        away = self.away
        names = [name for name in self._shards() if name not in away]
        found = await asyncio.gather(*[call(self._shards()[name]) for name in names], return_exceptions=True)
        answers: dict[str, T] = {}
        for name, answer in zip(names, found, strict=True):
            if isinstance(answer, StoreUnavailable):
                self._away[name] = time.monotonic() + AWAY_SECONDS, str(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                self._away.pop(name, None)
                answers[name] = answer
        if not answers:
            raise StoreUnavailable(self.describe_away())
        return answers

    def describe_away(self) -> str:
        """Say which shards are away and why; empty where none is."""
        return "; ".join(f"shard {name} is away: {reason}" for name, reason in self.away.items())

    async def _find(self, call: Callable[[Reader], Awaitable[T]], is_found: Callable[[T], bool]) -> T:
        """Return what one shard finds; where none does, what the last one says. Raises StoreUnavailable."""
        answers = list((await self.ask(call)).values())
        found = [answer for answer in answers if is_found(answer)]
        if not found and self.away:
            raise StoreUnavailable(self.describe_away())
        return found[0] if found else answers[-1]

    async def _by_id(self, ids: Sequence[str], call: Callable[[Reader], Awaitable[Mapping[str, T]]]) -> dict[str, T]:
        """Return what the shards have of some ids. Raises StoreUnavailable where one that is away may have the rest."""
        found: dict[str, T] = {}
        for answer in (await self.ask(call)).values():
            found |= answer
        if self.away and any(id not in found for id in ids):
            raise StoreUnavailable(self.describe_away())
        return {id: found[id] for id in ids if id in found}

    def _keys_in(self, reader: Reader, keys: Sequence[str]) -> list[str]:
        """Return the same keys under the hash tag of another shard."""
        return [reader.keys.prefix + key.removeprefix(self.keys.prefix) for key in keys]

    async def now(self) -> int:
        """Return the time of a store that answers, and note it for the clock of this process."""
        if self._is_one():
            return await super().now()
        return max((await self.ask(lambda one: one.now())).values())

    async def newest_receipts(self, most: int, *, since: int | None = None) -> list[str]:
        """Return the ids of the receipts that arrived last, the newest first."""
        if self._is_one():
            return await super().newest_receipts(most, since=since)
        found = await self.ask(lambda one: one.newest_receipts(most, since=since))
        return sorted((id for ids in found.values() for id in ids), reverse=True)[:most]

    async def receipts_between(
        self, since: int | None, until: int | None, start: int, most: int, state: ReceiptState | None = None
    ) -> list[str]:
        """Return the ids of receipts that arrived between two times, but for the first `start`, by shards."""
        if self._is_one():
            return await super().receipts_between(since, until, start, most, state)
        found: list[str] = []
        for one in self._shards().values():
            key = one.keys.receipts if state is None else one.keys.receipts_in(state)
            (total,) = await one.count([key], since, until)
            if start < total and len(found) < most:
                found += await one.receipts_between(since, until, start, most - len(found), state)
            start = max(start - total, 0)
        return found

    async def count(self, keys: Sequence[str], low: int | None, high: int | None) -> list[int]:
        """Count the members of sorted sets between two scores."""
        if self._is_one():
            return await super().count(keys, low, high)
        found = await self.ask(lambda one: one.count(self._keys_in(one, keys), low, high))
        return [sum(counts) for counts in zip(*found.values(), strict=True)]

    async def receipts(self, ids: Sequence[str]) -> list[StoredReceipt]:
        """Read receipts; those that are gone are left out."""
        if self._is_one():
            return await super().receipts(ids)

        async def read(one: Reader) -> dict[str, StoredReceipt]:
            return {found.id: found for found in await one.receipts(ids)}

        return list((await self._by_id(ids, read)).values())

    async def raw_receipts(self, ids: Sequence[str]) -> dict[str, Receipt]:
        """Read receipts as they arrived; those that are gone are left out."""
        if self._is_one():
            return await super().raw_receipts(ids)
        return await self._by_id(ids, lambda one: one.raw_receipts(ids))

    async def harmless(self, ids: Sequence[str]) -> list[str]:
        """Return those of receipts at which no worker died."""
        if self._is_one():
            return await super().harmless(ids)
        found = set(ids).intersection(*map(set, (await self.ask(lambda one: one.harmless(ids))).values()))
        return [id for id in ids if id in found]

    async def deliveries(self, ids: Sequence[str]) -> list[StoredDelivery]:
        """Read deliveries; those that are gone are left out."""
        if self._is_one():
            return await super().deliveries(ids)

        async def read(one: Reader) -> dict[str, StoredDelivery]:
            return {found.id: found for found in await one.deliveries(ids)}

        return list((await self._by_id(ids, read)).values())

    async def removed_once(self, ids: Sequence[str]) -> dict[str, str]:
        """Return which of these ids are of `once` deliveries that retention removed, and in which state each was."""
        if self._is_one():
            return await super().removed_once(ids)
        found: dict[str, str] = {}
        for answer in (await self.ask(lambda one: one.removed_once(ids))).values():
            found |= answer
        return found

    async def made_before(self, ids: Sequence[str], time: int) -> set[str]:
        """Return which of these ids are of deliveries that were made of hooks from before a time, and not skipped."""
        if self._is_one():
            return await super().made_before(ids, time)
        return set().union(*(await self.ask(lambda one: one.made_before(ids, time))).values())

    async def contents(self, deliveries: Sequence[StoredDelivery]) -> dict[str, bytes]:
        """Read what deliveries send, by the ids of their contents."""
        if self._is_one():
            return await super().contents(deliveries)
        found: dict[str, bytes] = {}
        for answer in (await self.ask(lambda one: one.contents(deliveries))).values():
            found |= answer
        return found

    async def without_content(self, deliveries: Sequence[StoredDelivery]) -> set[str]:
        """Return the ids of those that have nothing to send."""
        if self._is_one():
            return await super().without_content(deliveries)
        found = await self.ask(lambda one: one.without_content(deliveries))
        return set.intersection(*found.values())

    async def stories(self, ids: Sequence[str]) -> dict[str, list[Attempt]]:
        """Read the attempts of deliveries, of each in order."""
        if self._is_one():
            return await super().stories(ids)
        found = list((await self.ask(lambda one: one.stories(ids))).values())
        return {id: max((stories[id] for stories in found), key=len) for id in ids}

    async def events_of(self, source: str, entity: str, id: str) -> list[str]:
        """Return the ids of the events of one lead, contact and so on, oldest first; those before it moved, too."""
        if self._is_one():
            return await super().events_of(source, entity, id)
        found = await self.ask(lambda one: one.events_of(source, entity, id))
        return sorted(id for ids in found.values() for id in ids)

    async def finished_at(self, receipt: str) -> tuple[int | None, bool]:
        """Return since when nothing of a receipt waits, None where something does, and whether it has a dead letter."""
        if self._is_one():
            return await super().finished_at(receipt)
        return await self._find(lambda one: one.finished_at(receipt), lambda answer: answer != (None, False))

    async def newest_members(self, key: str, most: int) -> list[str]:
        """Return what of a sorted set has the highest scores: of each shard so many."""
        if self._is_one():
            return await super().newest_members(key, most)
        found = await self.ask(lambda one: one.newest_members(self._keys_in(one, [key])[0], most))
        return [id for ids in found.values() for id in ids]

    async def registered_sinks(self) -> list[str]:
        """Read the names of the sinks that were ever registered."""
        return list(await self.sink_types())

    async def sink_types(self) -> dict[str, str]:
        """Read the types of the sinks that were ever registered, by name."""
        if self._is_one():
            return await super().sink_types()
        types: dict[str, str] = {}
        for found in (await self.ask(lambda one: one.sink_types())).values():
            types |= found
        return types

    async def sinks(self) -> list[SinkState]:
        """Read the state of every sink that was ever registered."""
        if self._is_one():
            return await super().sinks()
        by_name: dict[str, list[SinkState]] = {}
        for states in (await self.ask(lambda one: one.sinks())).values():
            for state in states:
                by_name.setdefault(state.name, []).append(state)
        return [reduce(SinkState.plus, states) for states in by_name.values()]

    async def gate_history(self, queue: str) -> list[GateChange]:
        """Read the newest changes of a queue's gate, oldest first."""
        if self._is_one():
            return await super().gate_history(queue)
        found = await self.ask(lambda one: one.gate_history(queue))
        return sorted((change for changes in found.values() for change in changes), key=lambda change: change.at)

    async def accounts(self, sources: Iterable[str] = ()) -> list[AccountState]:
        """Read what waits for look-ups: of these sources, and of every other one of which something does."""
        if self._is_one():
            return await super().accounts(sources)
        names = list(sources)
        by_shard = await self.ask(lambda one: one.accounts(names))
        return [
            state
            for shard, states in by_shard.items()
            for state in states
            if self._shard_of(state.source) == shard or state.waiting or state.in_flight
        ]

    async def due(self, queues: Sequence[str]) -> list[DueWork]:
        """Read how much of each queue may be taken now, and since when the oldest may."""
        if self._is_one():
            return await super().due(queues)
        found = await self.ask(lambda one: one.due(queues))
        return [
            DueWork(count=sum(work.count for work in works), oldest_ms=max(work.oldest_ms for work in works))
            for works in zip(*found.values(), strict=True)
        ]

    async def _depths(self, queue: str) -> tuple[int, int]:
        if self._is_one():
            return await super()._depths(queue)
        found = (await self.ask(lambda one: one._depths(queue))).values()
        return sum(waiting for waiting, _ in found), sum(leased for _, leased in found)

    async def unrouted(self, most: int) -> list[str]:
        """Return the ids of receipts that are not routed yet."""
        if self._is_one():
            return await super().unrouted(most)
        return [id for ids in (await self.ask(lambda one: one.unrouted(most))).values() for id in ids]

    async def oldest_unrouted(self, now: int) -> int | None:
        """Return for how many milliseconds the oldest waiting receipt has been due; None where none waits."""
        if self._is_one():
            return await super().oldest_unrouted(now)
        return greatest((await self.ask(lambda one: one.oldest_unrouted(now))).values())

    async def received(self, source: str) -> int:
        """Return how many hooks a source has sent, repeated ones too."""
        if self._is_one():
            return await super().received(source)
        return sum((await self.ask(lambda one: one.received(source))).values())

    async def last_hook(self, source: str) -> int | None:
        """Return when a source last sent a hook, a repeated one too; None where it has sent none."""
        if self._is_one():
            return await super().last_hook(source)
        return greatest((await self.ask(lambda one: one.last_hook(source))).values())

    async def counters(self) -> dict[tuple[str, ...], int]:
        """Read all counters, their names split."""
        if self._is_one():
            return await super().counters()
        total: Tally[tuple[str, ...]] = Tally()
        for counters in (await self.ask(lambda one: one.counters())).values():
            total.update(counters)
        return dict(total)
