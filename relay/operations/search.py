"""Find events and deliveries in the store, in pages: from a cursor on, and with so much work and no more."""

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from relay.model import DeliveryState, ReceiptState, Record, RoutedEvent
from relay.operations.merged_pages import Row, ask_all, merge_pages
from relay.operations.searched_sets import (
    SearchedSets,
    narrow,
    sets_of_deliveries,
    sets_of_events,
    sets_that_need_a_person,
)
from relay.store.stored import StoredDelivery, StoredReceipt
from relay.store.wire.lists import Cursor, FindRequest

if TYPE_CHECKING:  # every command has the options of a search; few search
    from relay.store.reader import Reader

PAGE: Final = 100  # records read in one round trip
MOST_CALLS: Final = 100
MOST_COMMANDS: Final = 120  # of the store in a call, which blocks it for about a millisecond
STEP_SECONDS: Final = 0.5  # after which no further call is made, where a command waits for nothing else
MOST_SECONDS: Final = 0.2  # likewise within a step of something
PAGE_SECONDS: Final = 0.06  # likewise where it is a step of the web process, which takes hooks beside
MOST_LISTED: Final = 500

T = TypeVar("T")


class EventFilter(Record):
    """Which events or deliveries to find. Empty texts match any. Times bound the arrival of the receipt.

    `recovered`: only events that amoCRM never delivered. `needs_person`: only deliveries that are held or dead.
    """

    source: str = ""
    event: str = ""
    entity: tuple[str, str] | None = None  # ("lead", "123"), or ("", "123"): whatever has that id
    sink: str = ""
    state: str = ""
    route: str = ""  # of events: with a delivery of it
    reason: str = ""  # a part of it
    person: str = ""  # a hash of `PeopleKey`: events that speak of that phone or e-mail
    cause: str = ""  # of what is held or dead: an id of `relay sinks failures`
    text: str = ""  # anywhere in the body of the hook, whatever its case
    since: int | None = None
    until: int | None = None
    limit: int = 20
    after: Cursor | None = None  # where an earlier search stopped
    recovered: bool = False
    needs_person: bool = False


class FoundEvent(Record):
    """An event with its receipt. A receipt without events is found as itself, with `event` None."""

    receipt: StoredReceipt
    event: RoutedEvent | None

    @property
    def id(self) -> str:
        """The event's id, or the receipt's."""
        return self.receipt.id if self.event is None else f"{self.receipt.id}.{self.event.index}"

    @property
    def state(self) -> str:
        """The event's state, or the receipt's."""
        return self.receipt.state if self.event is None else self.event.state

    @property
    def reason(self) -> str:
        """Why it is in that state."""
        return self.receipt.reason if self.event is None else self.event.reason


class FoundPage(Record, Generic[T]):
    """What was found, how many of which rows were looked at for it, and where to go on; None: there is no more."""

    items: Sequence[T]
    rows: Literal["receipts", "events", "deliveries"]
    looked: int
    total: int
    next: Cursor | None


class _FoundIds(Record):
    ids: Sequence[str]
    looked: int
    next: Cursor | None


async def find_events(reader: "Reader", filters: EventFilter, seconds: float = MOST_SECONDS) -> FoundPage[FoundEvent]:
    """Find events, newest first, over all shards, as far as is come in so many seconds. Raises StoreUnavailable."""
    if filters.text:
        from relay.operations.text_search import find_text  # few searches look into bodies

        return await find_text(find_events, reader, filters, seconds)
    if len(reader.each) > 1:
        return await _find_in_all(reader, filters, partial(find_events, seconds=seconds), _row_of_event)
    sets = await _sets_of_events(reader, filters)
    found = await _find_ids(reader, "events", sets, filters, seconds)
    ids = list(dict.fromkeys(id.partition(".")[0] for id in found.ids))
    receipts = {
        receipt.id: receipt for at in range(0, len(ids), PAGE) for receipt in await reader.receipts(ids[at : at + PAGE])
    }
    events = [_found_event(receipts[id.partition(".")[0]], id) for id in found.ids if id.partition(".")[0] in receipts]
    return _page(sets, found, events)


def _found_event(receipt: StoredReceipt, id: str) -> FoundEvent:
    index = id.partition(".")[2]
    return FoundEvent(receipt=receipt, event=receipt.events[int(index)] if index else None)


async def find_deliveries(
    reader: "Reader", filters: EventFilter, seconds: float = MOST_SECONDS
) -> FoundPage[StoredDelivery]:
    """Find deliveries, newest first, over all shards: held and dead ones by when they became so.

    As far as is come in so many seconds. Raises StoreUnavailable.
    """
    if filters.text:
        from relay.operations.text_search import find_text

        return await find_text(find_deliveries, reader, filters, seconds)
    if len(reader.each) > 1:
        find = partial(find_deliveries, seconds=seconds)
        return await _find_in_all(reader, filters, find, partial(_row_of_delivery, filters))
    sets = await _sets_of_deliveries(reader, filters)
    found = await _find_ids(reader, "deliveries", sets, filters, seconds)
    from relay.store.put_off_rows import read_listed  # it loads the store's client, and `--help` needs none

    deliveries = [
        delivery
        for at in range(0, len(found.ids), PAGE)
        for delivery in await read_listed(reader, found.ids[at : at + PAGE])
    ]
    return _page(sets, found, deliveries)


async def _find_in_all(
    reader: "Reader",
    filters: EventFilter,
    find: "Callable[[Reader, EventFilter], Awaitable[FoundPage[T]]]",
    row_of: Callable[[str, T], Row],
) -> FoundPage[T]:
    pages = list((await ask_all(reader, lambda one: find(one, filters))).values())
    rows = pages[0].rows
    items, after = merge_pages(pages, min(filters.limit, MOST_LISTED), filters.after, partial(row_of, rows))
    looked, total = sum(page.looked for page in pages), sum(page.total for page in pages)
    return FoundPage(items=items, rows=rows, looked=looked, total=total, next=after)


def _row_of_event(rows: str, found: FoundEvent) -> Row:
    return found.receipt.received_at, found.id if rows == "events" else found.receipt.id


def _row_of_delivery(filters: EventFilter, rows: str, found: StoredDelivery) -> Row:
    if rows != "deliveries":
        return found.accepted_at, found.event_id if rows == "events" else found.event_id.partition(".")[0]
    is_ended = filters.needs_person or filters.state != DeliveryState.PENDING
    return (found.finished_at if is_ended and found.finished_at else found.accepted_at), found.id


def _page(sets: Sequence[SearchedSets], found: _FoundIds, items: Sequence[T]) -> FoundPage[T]:
    rows = sets[0].members if sets else "receipts"
    rows = "deliveries" if rows == "put-off" else rows
    return FoundPage(items=items, rows=rows, looked=found.looked, total=_total(sets), next=found.next)


def _total(sets: Sequence[SearchedSets]) -> int:
    return sum(one.total for one in sets)


async def count_rows(reader: "Reader", filters: EventFilter, *, events: bool) -> int:
    """Count the rows that are looked at for events, or for deliveries. Raises StoreUnavailable."""
    if len(reader.each) > 1:
        counts = await ask_all(reader, lambda one: count_rows(one, filters, events=events))
        return sum(counts.values())
    return _total(await (_sets_of_events if events else _sets_of_deliveries)(reader, filters))


async def _sets_of_events(reader: "Reader", filters: EventFilter) -> Sequence[SearchedSets]:
    state = ReceiptState(filters.state) if filters.state else None
    sets = await sets_of_events(
        reader, state, filters.source, filters.entity, filters.since, filters.until, filters.person
    )
    values = _indexed_values(filters)
    if filters.recovered:
        values["recovered"] = "yes"
    if state not in (None, ReceiptState.ACCEPTED):  # what is still to be routed is not in the index
        values["state"] = filters.state
    return await narrow(reader, sets, values, filters.since, filters.until)


def _indexed_values(filters: EventFilter) -> dict[str, str]:
    """Return what a receipt has if its events or deliveries are to be found, as the index calls it."""
    values = {"source": filters.source, "event": filters.event, "route": filters.route, "sink": filters.sink}
    return {kind: value for kind, value in values.items() if value}


async def _sets_of_deliveries(reader: "Reader", filters: EventFilter) -> Sequence[SearchedSets]:
    if filters.needs_person:
        return [await sets_that_need_a_person(reader, filters.sink, filters.since)]
    state = DeliveryState(filters.state) if filters.state else None
    sets = await sets_of_deliveries(
        reader,
        state,
        filters.source,
        filters.sink,
        filters.entity,
        filters.since,
        filters.until,
        filters.cause,
        filters.person,
    )
    return await narrow(reader, sets, _indexed_values(filters), filters.since, filters.until)


async def _find_ids(
    reader: "Reader",
    kind: Literal["events", "deliveries"],
    sets: Sequence[SearchedSets],
    filters: EventFilter,
    seconds: float,
) -> _FoundIds:
    """Look through sets one after another, the newest first, as far as one search may go."""
    ids: list[str] = []
    looked, calls, cursor, deadline = 0, 0, filters.after, time.monotonic() + seconds
    left = [one for one in sets if one.keys and (cursor is None or one.lowest is None or cursor.score >= one.lowest)]
    if not left:  # all that was to come has left the sets since
        return _FoundIds(ids=[], looked=0, next=None)
    while left:
        reply = await reader.find(_request(kind, left[0], filters, cursor, min(filters.limit, MOST_LISTED) - len(ids)))
        ids += reply.ids
        looked, cursor, calls = looked + reply.looked, reply.cursor, calls + 1
        if cursor is None:
            del left[0]
            cursor = _before(left[0]) if left else None
        if len(ids) >= min(filters.limit, MOST_LISTED) or calls == MOST_CALLS or time.monotonic() > deadline:
            break
    return _FoundIds(ids=ids, looked=looked, next=cursor)


def _before(sets: SearchedSets) -> Cursor | None:
    """Return where a search stopped that has seen all before some sets: no id begins with a sign behind "~"."""
    return None if sets.highest is None else Cursor(sets.highest, "~")


def _request(
    kind: Literal["events", "deliveries"], sets: SearchedSets, filters: EventFilter, after: Cursor | None, limit: int
) -> FindRequest:
    inside = after is not None and (sets.highest is None or after.score <= sets.highest)
    return FindRequest(
        kind=kind,
        members=sets.members,
        keys=sets.keys,
        highest=sets.highest,
        lowest=sets.lowest,
        after=after if inside else None,
        limit=limit,
        most=MOST_COMMANDS,
        source=filters.source,
        event=filters.event,
        sink=filters.sink,
        state=filters.state,
        route=filters.route,
        reason=filters.reason,
        since=filters.since,
        before=filters.until,
        recovered=filters.recovered,
    )


def format_cursor(cursor: Cursor) -> str:
    """Write a cursor as a word, for a command line."""
    taken = f":{cursor.taken}" if cursor.taken else ""
    return f"{cursor.score}:{cursor.member}{taken}"


def parse_cursor(text: str) -> Cursor:
    """Read what `format_cursor` wrote. Raises ValueError with what would be right."""
    found = re.fullmatch(r"(\d{1,15}):([^\s:]+)(?::(\d{1,6}))?", text, re.ASCII)
    if found is None:
        raise ValueError(f"{text!r} is not where a list stopped: copy it whole from the last line of that list")
    return Cursor(int(found[1]), found[2], int(found[3] or 0))
