"""List, describe and cancel what is put off; a list of deliveries does not have it yet."""

from collections.abc import Sequence

from relay.config.suggestions import did_you_mean
from relay.errors import RelayError
from relay.model import Record
from relay.operations.search import MOST_LISTED, EventFilter
from relay.store.acts import Author
from relay.store.put_off import PutOff, PutOffDelivery
from relay.store.reader import Reader
from relay.store.wire import Cursor


class PutOffPage(Record):
    """What a sink puts off, that whose hook arrived first first; how many in all, and where to go on; None: the end."""

    items: Sequence[PutOffDelivery]
    total: int
    next: Cursor | None


class Cancelled(Record):
    """Which deliveries were given up, and which are not put off any more: they were made, or cancelled before."""

    cancelled: Sequence[str]
    not_there: Sequence[str]


async def list_put_off(reader: Reader, sink: str, limit: int = 20, after: Cursor | None = None) -> PutOffPage:
    """List what a sink puts off. Raises RelayError where there is no such sink, StoreUnavailable."""
    states = {one.name: one for one in await reader.sinks()}
    if sink not in states:
        raise RelayError(f"unknown sink {sink}, {did_you_mean(sink, states)}")
    limit = min(limit, MOST_LISTED)
    found: list[PutOffDelivery] = []
    for one in reader.each.values():
        put_off = PutOff(one.client, one.namespace)
        found += await put_off.next(sink, limit) if after is None else await put_off.behind(sink, after, limit)
    found = sorted(found, key=lambda one: (one.arrived_at, one.id))[:limit]
    more = len(found) == limit
    following = Cursor(found[-1].arrived_at, found[-1].id) if more else None
    return PutOffPage(items=found, total=states[sink].put_off, next=following)


async def cancel_put_off_of(put_off: PutOff, sink: str, ids: Sequence[str], author: Author) -> Cancelled:
    """Give up deliveries that a sink puts off. Raises StoreUnavailable."""
    found = await put_off.find_all(sink, set(ids))
    done = [id for id in dict.fromkeys(ids) if id in found and await put_off.cancel(found[id], author)]
    return Cancelled(cancelled=done, not_there=[id for id in dict.fromkeys(ids) if id not in done])


def describe_put_off(delivery: PutOffDelivery) -> str:
    """Return what a delivery waits for that is put off, and what can be done about it."""
    return (
        f"it is put off: {delivery.sink} has as many pending as it may (max_pending), and is made when there is room; "
        f"`relay events show {delivery.event_id}` shows its event, `relay deliveries cancel {delivery.id}` gives it up"
    )


async def cancel_put_off(put_off: PutOff, id: str, author: Author) -> bool:
    """Cancel a delivery that is put off. Returns whether there was one of that id. Raises StoreUnavailable."""
    found = await put_off.find(id)
    return found is not None and await put_off.cancel(found, author)


async def put_off_hints(reader: Reader, filters: EventFilter) -> list[str]:
    """Return what a list of pending deliveries lacks: what is put off, a line a sink. Raises StoreUnavailable."""
    full = [one for one in await reader.sinks() if one.put_off and filters.sink in ("", one.name)]
    lines: list[str] = []
    for sink in full:
        lines += [
            f"{sink.name}: {sink.put_off} more are put off until it has room (max_pending), and not listed; "
            f"the first is {first.id}, `relay sinks put-off {sink.name}` has them"
            for first in (await list_put_off(reader, sink.name, 1)).items
        ]
    return lines
