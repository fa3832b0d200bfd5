"""The record of erasures: whom, masked, who and why, how far it is, and which sinks were asked to forget them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from relay.model import DeliveryState, Record, is_subscriber
from relay.operations.action_erasure import ASKED, NOT_ASKED
from relay.operations.actions import Action, ActionFilter, ActionKind, read_actions
from relay.operations.merged_pages import ask_all
from relay.store.actions import ActionState
from relay.store.reader import Reader
from relay.store.store import Store

_PAGE: Final = 500


class AskedSink(Record):
    """A delivery that asks a sink to forget somebody. `state` None: retention has removed it."""

    sink: str
    delivery: str
    state: DeliveryState | None
    reason: str


class ErasureRecord(Record):
    """An erasure without the person. `not_asked`: sinks that were sent something and were not asked, and how much.

    `gone`: those of them that are in no configuration any more, so nobody knew how to ask them.
    """

    id: str
    person: str
    by: str
    why: str
    started_at: int
    ended_at: int | None
    state: ActionState
    waits: str
    problem: str
    results: Mapping[str, int]
    asked: Sequence[AskedSink]
    not_asked: Mapping[str, int]
    gone: Sequence[str]


def gone_sinks(names: Iterable[str], configured: Collection[str]) -> list[str]:
    """Return those sinks of the file that it does not have any more. Pure."""
    return sorted(name for name in names if name and name not in configured and not is_subscriber(name))


async def read_erasures(store: Store, reader: Reader, limit: int, configured: Collection[str]) -> list[ErasureRecord]:
    """Read the newest erasures. `configured` are the sinks that there are. Raises StoreUnavailable."""
    page = await read_actions(store, limit, only=ActionFilter(kind=ActionKind.ERASE))
    return [await _read(store, reader, one, configured) for one in page.items]


async def _read(store: Store, reader: Reader, action: Action, configured: Collection[str]) -> ErasureRecord:
    results: dict[str, str] = {}
    last = 0
    while items := await store.actions.items(action.id, _PAGE, last):
        results |= {one.id: one.result for one in items if one.result in (ASKED, NOT_ASKED)}
        last = items[-1].number
    of_shards = await ask_all(reader, lambda shard: shard.deliveries(list(results)))
    found = {one.id: one for of_shard in of_shards.values() for one in of_shard}
    not_asked: dict[str, int] = {}
    for id, result in results.items():
        if result == NOT_ASKED:
            sink = found[id].sink if id in found else ""
            not_asked[sink] = not_asked.get(sink, 0) + 1
    asked = [
        AskedSink(
            sink=found[id].sink if id in found else "",
            delivery=id,
            state=found[id].state if id in found else None,
            reason=found[id].reason if id in found else "",
        )
        for id, result in results.items()
        if result == ASKED
    ]
    return ErasureRecord(
        id=action.id,
        person=action.request.person.described if action.request.person else "",
        by=action.by,
        why=action.why,
        started_at=action.started_at,
        ended_at=action.ended_at,
        state=action.state,
        waits=action.waits,
        problem=action.problem,
        results=action.results,
        asked=asked,
        not_asked=not_asked,
        gone=gone_sinks(not_asked, configured),
    )
