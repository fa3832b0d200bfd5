"""Say of a delivery that is put off what it is, and cancel it; a list of deliveries does not have it yet."""

from relay.operations.search import EventFilter
from relay.store.acts import Author
from relay.store.put_off import PutOff, PutOffDelivery
from relay.store.reader import Reader


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
    put_off = PutOff(reader.client, reader.namespace)
    full = [one for one in await reader.sinks() if one.put_off and filters.sink in ("", one.name)]
    lines: list[str] = []
    for sink in full:
        for first in await put_off.next(sink.name, 1):
            lines.append(
                f"{sink.name}: {sink.put_off} more are put off until it has room (max_pending), and not listed; "
                f"the first is {first.id}, `relay deliveries cancel` takes such ids too"
            )
    return lines
