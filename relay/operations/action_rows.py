"""Read what a bulk action is about, page by page, so that it finds each thing once while it changes what is read."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from relay.model import DeliveryState, ReceiptState, Record
from relay.operations.actions import ActionKind, ActionRequest
from relay.operations.search import EventFilter, FoundEvent, find_deliveries, find_events
from relay.operations.text_search import Found, find_with_text, receipt_of
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery
from relay.store.wire.lists import Cursor

_DELIVERIES_LISTED: Final = (DeliveryState.PENDING, DeliveryState.PUT_OFF, DeliveryState.HELD, DeliveryState.DEAD)
_RECEIPTS_LISTED: Final = (ReceiptState.MALFORMED, ReceiptState.QUARANTINED)


class DeliveryPage(Record):
    """Deliveries that are meant, how many rows were looked at for them, and where to go on; None: there is no more."""

    items: Sequence[StoredDelivery]
    looked: int
    next: Cursor | None


class EventPage(Record):
    """Likewise, events and receipts without events."""

    items: Sequence[FoundEvent]
    looked: int
    next: Cursor | None


async def read_delivery_page(reader: Reader, request: ActionRequest, after: Cursor | None, most: int) -> DeliveryPage:
    """Find at most so many deliveries. Raises StoreUnavailable."""
    filters = request.filter
    # As `sets_of_deliveries` chooses.
    by_event = bool(filters.person) or filters.entity is not None or filters.state not in _DELIVERIES_LISTED
    listed = filters.needs_person or bool(filters.cause) or not by_event
    searched = filters if listed else _without_what_changes(filters, moves=request.kind is ActionKind.MOVE)
    page = await find_deliveries(reader, replace(searched, text="", limit=most, after=after))
    items = await _with_text(reader, filters, [one for one in page.items if _is_meant(one, filters)])
    return DeliveryPage(items=items, looked=page.looked, next=page.next)


async def read_event_page(reader: Reader, request: ActionRequest, after: Cursor | None, most: int) -> EventPage:
    """Find at most so many events and receipts without events. Raises StoreUnavailable."""
    filters = request.filter
    listed = not filters.person and filters.entity is None and filters.state in _RECEIPTS_LISTED
    searched = filters if listed else _without_what_changes(filters, moves=False)
    page = await find_events(reader, replace(searched, text="", limit=most, after=after))
    meant = [one for one in page.items if filters.state in ("", one.state) and filters.reason in one.reason]
    items = await _with_text(reader, filters, meant)
    return EventPage(items=items, looked=page.looked, next=page.next)


async def _with_text(reader: Reader, filters: EventFilter, rows: Sequence[Found]) -> Sequence[Found]:
    """Return the rows whose hooks have the filter's text in them: so much of it a page is what a step may cost."""
    if not filters.text:
        return rows
    having = await find_with_text(reader, map(receipt_of, rows), filters.text)
    return [one for one in rows if receipt_of(one) in having]


def _without_what_changes(filters: EventFilter, *, moves: bool) -> EventFilter:
    """Leave out what an action changes: a page may end within a receipt, behind so many matches."""
    return replace(filters, state="", reason="", sink="" if moves else filters.sink)


def _is_meant(delivery: StoredDelivery, filters: EventFilter) -> bool:
    return (
        filters.state in ("", delivery.state)
        and filters.sink in ("", delivery.sink)
        and filters.reason in delivery.reason
    )
