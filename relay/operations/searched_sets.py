"""Choose the sorted sets of the store that a list is read from: the smallest that have all it may show."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

from relay.amocrm.event_names import ENTITIES
from relay.model import DeliveryState, ReceiptState, Record
from relay.store.fields import Counter

if TYPE_CHECKING:  # as in relay.operations.search
    from relay.store.reader import Reader

_RECEIPTS_LISTED: Final = (ReceiptState.MALFORMED, ReceiptState.QUARANTINED)
_LISTED: Final = (DeliveryState.PENDING, DeliveryState.PUT_OFF, DeliveryState.HELD, DeliveryState.DEAD)


class SearchedSets(Record):
    """Keys of sorted sets that are not empty, what is in them, and the scores between which to look."""

    members: Literal["receipts", "events", "deliveries", "put-off"]
    keys: Sequence[str]
    total: int  # how many members there are between the scores
    highest: int | None
    lowest: int | None


async def sets_of_events(
    reader: "Reader",
    state: ReceiptState | None,
    source: str,
    entity: tuple[str, str] | None,
    since: int | None,
    until: int | None,
    person: str = "",
) -> SearchedSets:
    """Return all receipts by arrival, those of a state, or the events of an entity or a person.

    Raises StoreUnavailable.
    """
    if person:
        return await _sets(reader, "events", [reader.keys.people(person)], since, until)
    if entity is None:
        key = reader.keys.receipts_in(state) if state in _RECEIPTS_LISTED else reader.keys.receipts
        return await _sets(reader, "receipts", [key], since, until)
    kind, id = entity
    kinds = [kind] if kind else sorted(ENTITIES)  # a number alone may be the id of anything
    keys = [reader.keys.events_of(name, one, id) for name in await sources_of(reader, source) for one in kinds]
    return await _sets(reader, "events", keys, since, until)


async def narrow(
    reader: "Reader", sets: SearchedSets, values: Mapping[str, str], since: int | None, until: int | None
) -> Sequence[SearchedSets]:
    """Return what of all receipts may have some values, the newest first: of what is indexed only those that have them.

    `values`: as `NewestIndex.find_rarest` takes them. Raises StoreUnavailable.
    """
    if list(sets.keys) != [reader.keys.receipts] or not values:
        return [sets]
    from relay.store.newest import NewestIndex  # few searches need it

    rarest = await NewestIndex(reader.client, reader.namespace).find_rarest(values)
    if rarest is None:
        return [sets]
    parts: list[tuple[str, int | None, int | None]] = [
        (reader.keys.receipts, rarest.since, None),  # what is not in the index yet
        (rarest.key, None if rarest.until is None else rarest.until + 1, rarest.since - 1),
    ]
    if rarest.until is not None:
        parts.append((reader.keys.receipts, None, min(rarest.until, rarest.since - 1)))  # what it keeps no more
    found = [
        await _sets(reader, "receipts", [key], _bound(max, since, low), _bound(min, until, high))
        for key, low, high in parts
    ]
    return [one for one in found if one.keys]


def _bound(tighter: Callable[[int, int], int], one: int | None, other: int | None) -> int | None:
    """Return the tighter of two bounds; None: there is none."""
    if one is None or other is None:
        return other if one is None else one
    return tighter(one, other)


async def sets_of_deliveries(
    reader: "Reader",
    state: DeliveryState | None,
    source: str,
    sink: str,
    entity: tuple[str, str] | None,
    since: int | None,
    until: int | None,
    cause: str = "",
    person: str = "",
) -> SearchedSets:
    """Return the queues' sets of a state or a cause, or what has the events that deliveries came from.

    Raises StoreUnavailable.
    """
    if cause:
        names = [sink] if sink else await reader.registered_sinks()
        return await _sets(reader, "deliveries", [reader.keys.failed(name, cause) for name in names], since, None)
    if person or entity is not None or state not in _LISTED:
        return await sets_of_events(reader, None, source, entity, since, until, person)
    names = [sink] if sink else await reader.registered_sinks()
    if state is DeliveryState.PUT_OFF:
        return await _sets(reader, "put-off", list(map(reader.keys.put_off, names)), since, until)
    key = {"pending": reader.keys.pending, "held": reader.keys.held, "dead": reader.keys.dead}[state]
    keys = [key(name) for name in names]
    # Nothing was held or died before it arrived, so `since` bounds these times too; `until` does not.
    return await _sets(reader, "deliveries", keys, since, until if state is DeliveryState.PENDING else None)


async def sets_that_need_a_person(reader: "Reader", sink: str, since: int | None) -> SearchedSets:
    """Return the queues' sets of what is held and dead, by when it became so. Raises StoreUnavailable."""
    names = [sink] if sink else await reader.registered_sinks()
    keys = [key(name) for name in names for key in (reader.keys.held, reader.keys.dead)]
    return await _sets(reader, "deliveries", keys, since, None)


async def sources_of(reader: "Reader", source: str) -> Sequence[str]:
    """Return the source, or where none is named all that ever sent anything. Raises StoreUnavailable."""
    return [source] if source else sorted({name[1] for name in await reader.counters() if name[0] == Counter.RECEIPT})


async def _sets(
    reader: "Reader",
    members: Literal["receipts", "events", "deliveries", "put-off"],
    keys: Sequence[str],
    since: int | None,
    until: int | None,
) -> SearchedSets:
    counts = await reader.count(keys, since, until)
    return SearchedSets(
        members=members,
        keys=[key for key, count in zip(keys, counts, strict=True) if count],
        total=sum(counts),
        highest=until,
        lowest=since,
    )
