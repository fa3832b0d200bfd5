"""What the release before this one wrote (commit b42e45f) is listed as this one lists it. Goes with the next release.

That release may run before this one, beside it in a rolling deploy, and after it. It keeps no list of what is pending,
or of receipts that are malformed, and another list of the events of a lead; and it counts events under any name.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

import msgspec
from redis.asyncio import Redis

from relay.events import EVENT_ENTITIES
from relay.model import ReceiptState, Record
from relay.store.keys import Keys, account_queue, sink_queue
from relay.store.scripts import Caller, Script

COUNT: Final = 100  # receipts, or rows of a list, of one call
_ADOPT: Final = Script("adopt", "_keyed")
Kind: TypeAlias = Literal["receipts", "state", "pending", "ordered", "due", "leased", "counters"]


class AdoptedList(Record):
    """A list to look at: of a state, a sink or a queue."""

    kind: Kind
    of: str = ""


class AdoptionProgress(Record):
    """Where a walk over all lists stopped."""

    list: int = 0
    cursor: str = ""


def lists_to_adopt(sinks: Iterable[str], sources: Iterable[str]) -> list[AdoptedList]:
    """Return all lists, those from which something may have to go before those from which it is listed again."""
    queues = [*map(sink_queue, sinks), *map(account_queue, sources)]
    return [
        *[AdoptedList(kind="state", of=state) for state in (ReceiptState.MALFORMED, ReceiptState.QUARANTINED)],
        AdoptedList(kind="receipts"),
        *[AdoptedList(kind=kind, of=sink) for kind in _OF_SINKS for sink in sinks],
        *[AdoptedList(kind=kind, of=queue) for queue in queues for kind in _IN_QUEUES],
        AdoptedList(kind="counters"),
    ]


_OF_SINKS: Final[Sequence[Kind]] = ("pending", "ordered")
_IN_QUEUES: Final[Sequence[Kind]] = ("due", "leased")


class Adoption:
    """Looks at the lists of one relay. Raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._call = Caller(client, Keys(namespace).prefix)

    async def adopt(
        self, lists: Sequence[AdoptedList], progress: AdoptionProgress, steps: int
    ) -> AdoptionProgress | None:
        """Go on where a walk stopped, for so many calls. Returns where it stops now; None: it has seen all."""
        for _ in range(steps):
            if progress.list >= len(lists):
                return None
            current = lists[progress.list]
            known = list(EVENT_ENTITIES) if current.kind == "counters" else []
            request = {
                "list": current.kind,
                "of": current.of,
                "cursor": progress.cursor,
                "count": COUNT,
                "known": known,
            }
            cursor = _STRING.decode(await self._call(_ADOPT, request))
            at = progress.list if cursor else progress.list + 1
            progress = AdoptionProgress(list=at, cursor=cursor)
        return progress


_STRING = msgspec.msgpack.Decoder(str)
