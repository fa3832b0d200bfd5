"""Bulk actions over all shards as if they were one store's."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from msgspec.structs import replace as with_fields

from relay.errors import StoreUnavailable
from relay.store.actions import ActionItem, Actions, ActionState, NewAction, StoredAction
from relay.store.acts import Author
from relay.store.readers import Readers
from relay.store.shard_list import FIRST
from relay.store.store import Store

T = TypeVar("T")
_NUMBERS: Final = 10**9  # of the items of an action in one shard
_STATES: Final = (ActionState.RUNNING, ActionState.PAUSED, ActionState.FAILED, ActionState.ABORTED, ActionState.DONE)
"""Which of the states of an action's parts is that of the whole: the first that one has."""


class AllActions(Actions):
    """Bulk actions: a row of one id in every shard, each with the items there; the first one's is the parent of all.

    It says which shards are meant, and ends last: a worker of the first shard starts what has no row yet
    (`workers/action_parts.py`). What is read is of the shards that answer.
    """

    def __init__(self, shards: Callable[[], Mapping[str, Store]], readers: Readers) -> None:
        first = shards()[FIRST]
        super().__init__(first.client, first.namespace)
        self._shards = shards
        self._readers = readers

    async def start(self, action: NewAction, author: Author) -> str:
        """Start one in all shards, unless another of its kind and filter has not ended in the first."""
        first, *others = self._shards().items()
        actions = first[1].actions
        running = await actions.start(with_fields(action, shards=list(self._shards())), author)
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
        for name, one in self._shards().items():
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
        for n, name in enumerate(self._shards()):
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
