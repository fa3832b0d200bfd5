"""Read what became of listed events: the states of their deliveries, and what the thing is called."""

from collections.abc import Sequence
from typing import Final

from relay.model import Record
from relay.operations.search import PAGE, FoundEvent
from relay.store.put_off_rows import read_put_off_of
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery

MOST_A_ROW: Final = 12


class EventOutcomes(Record):
    """An event with its deliveries; `left_out`: how many more there are."""

    found: FoundEvent
    deliveries: Sequence[StoredDelivery]
    left_out: int


async def read_outcomes(reader: Reader, events: Sequence[FoundEvent]) -> list[EventOutcomes]:
    """Read the deliveries of each event, so many of each at most. Raises StoreUnavailable."""
    ids = [_ids(found) for found in events]
    wanted = list(dict.fromkeys(id for each in ids for id in each[:MOST_A_ROW]))
    pages = [await reader.deliveries(wanted[at : at + PAGE]) for at in range(0, len(wanted), PAGE)]
    stored: dict[str, StoredDelivery] = {one.id: one for page in pages for one in page}
    stored |= {one.id: one for one in await read_put_off_of(reader, [found.receipt for found in events])}
    return [
        EventOutcomes(
            found=found,
            deliveries=[stored[id] for id in each[:MOST_A_ROW] if id in stored],
            left_out=max(len(each) - MOST_A_ROW, 0),
        )
        for found, each in zip(events, ids, strict=True)
    ]


def _ids(found: FoundEvent) -> list[str]:
    index = None if found.event is None else found.event.index
    return [id for id, of_event in found.receipt.deliveries.items() if index in (None, of_event)]
