"""Bulk actions: rows that say what is to be done to what, by whom, and how far that is. Times are milliseconds."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec
from redis.asyncio import Redis

from relay.model import Record
from relay.store.acts import Author
from relay.store.commands import run_command
from relay.store.fields import ActionField
from relay.store.keys import Keys
from relay.store.scripts import Caller, Script
from relay.store.wire.acts import ActionItemRow

ACTION_JOB = "action"
"""The kind of the jobs that work actions off, as it is stored."""

_START, _CHANGE = Script("start_action", "_jobs", "_acting"), Script("change_action", "_jobs", "_acting")
_SAVE_PROGRESS, _RETIRE = Script("save_action_progress", "_acting"), Script("retire_actions")
_NOTE_PART = Script("note_action_part")
_ID = msgspec.msgpack.Decoder(str)
_INT = msgspec.msgpack.Decoder(int)
_BOOL = msgspec.msgpack.Decoder(bool)
_CHANGED = msgspec.msgpack.Decoder(tuple[bool, str])


class ActionState(StrEnum):
    """How far a bulk action is."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    ABORTED = "aborted"
    FAILED = "failed"


class NewAction(Record):
    """A bulk action to start. `alike` is a digest of its kind and filter: two with the same one do not run at once."""

    id: str
    kind: str
    request: bytes  # JSON
    alike: str
    total: int  # rows to look at
    rate: int  # items a second at most
    secret: str = ""  # that is kept until it ends
    shards: Sequence[str] = ()  # in which it has parts; none: this is all of it


class StoredAction(Record):
    """A bulk action, and how far it is.

    `shards`: in which it has parts, where this is that of the first; `begun`: of which others the row is known to be
    written.
    """

    id: str
    kind: str
    request: bytes
    by: str
    why: str
    at: int
    state: ActionState
    total: int
    looked: int
    cursor: str
    rate: int
    waits: str
    ended_at: int | None
    problem: str
    results: dict[str, int]  # of how many items it is what
    secret: str = ""
    shards: Sequence[str] = ()
    begun: frozenset[str] = frozenset()


class ActionItem(Record):
    """What a bulk action has touched, a delivery or a receipt, and what came of it."""

    number: int  # in the order of touching, from 1 on
    id: str
    result: str


class Actions:
    """The bulk actions of one relay. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)

    async def start(self, action: NewAction, author: Author) -> str:
        """Start one, unless another of its kind and filter has not ended. Returns the id of the one that runs."""
        request = {
            "id": action.id,
            "kind": action.kind,
            "request": action.request.decode(),
            "alike": action.alike,
            "total": action.total,
            "rate": action.rate,
            "secret": action.secret,
            "shards": " ".join(action.shards),
            "by": author.by,
            "why": author.why,
        }
        return _ID.decode(await self._call(_START, request))

    async def begin_part(self, action: StoredAction, shard: str, there: "Actions") -> None:
        """Start the part of an action in another shard, where it has no row yet, and note that it has one."""
        part = NewAction(
            id=action.id, kind=action.kind, request=action.request, alike=action.id, total=0, rate=action.rate,
            secret=action.secret,
        )  # fmt: skip
        await there.start(part, Author(by=action.by, why=action.why))
        await self._call(_NOTE_PART, {"id": action.id, "shard": shard})

    async def change(self, id: str, act: str, author: Author) -> tuple[bool, str]:
        """Pause, resume, abort, finish or fail one; where it fails, the author's `why` says it.

        Returns whether it was done, and the state before; empty where there is no such action.
        """
        return _CHANGED.decode(await self._call(_CHANGE, {"id": id, "act": act, "by": author.by, "why": author.why}))

    async def save_progress(
        self, before: StoredAction, cursor: str, looked: int, items: Sequence[ActionItemRow] = (), waits: str = ""
    ) -> bool:
        """Write that so many rows were looked at, and what came of items that nothing was done to.

        Returns whether the action runs; where it does not, nothing is written.
        """
        request = {"action": before.id, "from": before.cursor, "cursor": cursor, "looked": looked, "waits": waits}
        return _BOOL.decode(await self._call(_SAVE_PROGRESS, {**request, "items": items}))

    async def retire(self, age_ms: int, count: int, max: int) -> int:
        """Remove those that ended so long ago, or over a count, oldest first. Returns how many."""
        return _INT.decode(await self._call(_RETIRE, {"age_ms": age_ms, "count": count, "max": max}))

    async def read(self, ids: Sequence[str]) -> list[StoredAction]:
        """Read actions; those that are gone are left out."""
        async with self._client.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hgetall(self._keys.action(id))
            found = await run_command(pipe.execute()) if ids else []
        return [_read_action(id, record) for id, record in zip(ids, found, strict=True) if record]

    async def open_erasures(self) -> list[StoredAction]:
        """Return the erasures that are neither done nor given up, those that failed too, the oldest first."""
        ids = await run_command(self._client.zrange(self._keys.erasures, 0, -1))
        return await self.read([id.decode() for id in ids])

    async def newest(self, limit: int, before: tuple[int, str] | None = None) -> list[StoredAction]:
        """Return the newest, the newest first; `before`: only those started before this time and id."""
        first = 0 if before is None else await self._rank_behind(*before)
        ids = await run_command(self._client.zrevrange(self._keys.actions, first, first + limit - 1))
        return await self.read([id.decode() for id in ids])

    async def _rank_behind(self, at: int, id: str) -> int:
        rank = await run_command(self._client.zrevrank(self._keys.actions, id))
        if rank is not None:
            return int(rank) + 1
        return int(await run_command(self._client.zcount(self._keys.actions, at, "+inf")))

    async def items(self, id: str, limit: int, after: int = 0) -> list[ActionItem]:
        """Return what an action has touched behind this number, in that order."""
        last = after + limit - 1
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.zrange(self._keys.action_items(id), after, last)
            pipe.lrange(self._keys.action_results(id), after, last)
            ids, results = await run_command(pipe.execute())
        return [
            ActionItem(number=number, id=item.decode(), result=result.decode())
            for number, (item, result) in enumerate(zip(ids, results, strict=True), after + 1)
        ]


def _read_action(id: str, record: dict[bytes, bytes]) -> StoredAction:
    row = {name.decode(): value.decode() for name, value in record.items()}
    ended = row.get(ActionField.ENDED)
    return StoredAction(
        id=id,
        kind=row[ActionField.KIND],
        request=row[ActionField.REQUEST].encode(),
        by=row[ActionField.BY],
        why=row[ActionField.WHY],
        at=int(row[ActionField.AT]),
        state=ActionState(row[ActionField.STATE]),
        total=int(row[ActionField.TOTAL]),
        looked=int(row[ActionField.LOOKED]),
        cursor=row[ActionField.CURSOR],
        rate=int(row[ActionField.RATE]),
        secret=row.get(ActionField.SECRET, ""),
        waits=row.get(ActionField.WAITS, ""),
        ended_at=None if ended is None else int(ended),
        problem=row.get(ActionField.PROBLEM, ""),
        shards=row.get(ActionField.SHARDS, "").split(),
        begun=frozenset(name.removeprefix(ActionField.BEGUN) for name in row if name.startswith(ActionField.BEGUN)),
        results={
            name.removeprefix(ActionField.RESULT): int(n)
            for name, n in row.items()
            if name.startswith(ActionField.RESULT)
        },
    )
