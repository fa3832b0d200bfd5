"""Read a page of what one shard has of a person: the events that speak of them, and what was sent because of these."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from relay.config.config import Config
from relay.model import Event, Json, ReceiptState, Record
from relay.operations.people_events import PersonMatch, add_names_in, events_of_receipt
from relay.operations.people_fields import field_texts
from relay.operations.people_query import KnownPerson, PersonQuery, index_keys, index_reach
from relay.operations.people_raw import is_in_body
from relay.operations.request_description import describe_request
from relay.operations.search import MOST_COMMANDS, PAGE, FoundPage
from relay.operations.searched_sets import SearchedSets, sources_of
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery, StoredReceipt
from relay.store.wire.lists import Cursor, FindRequest

MOST_UNREADABLE: Final = 500  # of each state: hooks that could not be read


class PassportDelivery(Record):
    """A delivery because of an event that speaks of them: where it went, how it stands, and which fields it carries."""

    id: str
    route: str
    sink: str
    state: str
    created_at: int
    finished_at: int | None
    attempts: int
    fields: Mapping[str, str]


class PassportEvent(Record):
    """An event that speaks of them, with the fields of its hook."""

    id: str
    source: str
    event: str
    entity: str
    entity_id: str
    received_at: int
    fields: Mapping[str, str]
    deliveries: Sequence[PassportDelivery]


class PassportPage(Record):
    """What one shard has: each event with the row that it was found in."""

    found: FoundPage[tuple[str, PassportEvent]]
    indexed: bool
    unreadable: Sequence[str]


class ShardPassport:
    """Finds what of a shard speaks of a person. Its methods raise StoreUnavailable."""

    def __init__(self, reader: Reader, config: Config, known: KnownPerson) -> None:
        self._reader = reader
        self._config = config
        self._known = known
        self._match = PersonMatch(known.person, known.key)
        self._read_in_part: list[str] = []  # hooks that speak of them where they could not be read, of this page

    async def read_page(
        self, query: PersonQuery, limit: int, after: Cursor | None, *, thorough: bool, seconds: float
    ) -> PassportPage:
        """Read what one shard has."""
        sets = await self._sets(query, thorough=thorough)
        self._read_in_part = []
        found, looked, cursor = await self._find(sets, limit, after, seconds)
        events = [(found[event.id], event) for event in await self._describe(list(found))]
        total = sum(one.total for one in sets)
        return PassportPage(
            found=FoundPage(items=events, rows="events", looked=looked, total=total, next=cursor),
            indexed=any(one.members == "events" for one in sets),
            unreadable=[*([] if after is not None else await self._unreadable()), *self._read_in_part],
        )

    async def _sets(self, query: PersonQuery, *, thorough: bool) -> list[SearchedSets]:
        """Return what to look through: what is not in the index yet, then the index; or all."""
        person, receipts = self._known.person, self._reader.keys.receipts
        reach = await index_reach(self._reader, self._known)
        if thorough or (person.hashes and reach is None):
            return [await self._set("receipts", [receipts], None, None)]
        keys = index_keys(self._reader, person, await sources_of(self._reader, query.source))
        if not person.hashes:
            return [await self._set("events", keys, None, None)]
        return [
            await self._set("receipts", [receipts], None, reach),
            # What came with the last of the index is looked through above, and not found a second time here.
            await self._set("events", keys, None if reach is None else reach - 1, None),
        ]

    async def _set(
        self, members: Literal["receipts", "events"], keys: Sequence[str], highest: int | None, lowest: int | None
    ) -> SearchedSets:
        counts = await self._reader.count(keys, lowest, highest)
        there = [key for key, count in zip(keys, counts, strict=True) if count]
        return SearchedSets(members=members, keys=there, total=sum(counts), highest=highest, lowest=lowest)

    async def _find(
        self, sets: Sequence[SearchedSets], limit: int, after: Cursor | None, seconds: float
    ) -> tuple[dict[str, str], int, Cursor | None]:
        """Return ids of events, each with the row that has it, how many rows were looked at, and where it goes on."""
        found: dict[str, str] = {}
        looked, cursor, deadline = 0, after, time.monotonic() + seconds
        left = [one for one in sets if cursor is None or one.lowest is None or cursor.score >= one.lowest]
        while left:
            if not left[0].keys:
                del left[0]
                continue
            inside = cursor is not None and (left[0].highest is None or cursor.score <= left[0].highest)
            request = FindRequest(
                kind="events", members=left[0].members, keys=left[0].keys, limit=min(limit - len(found), PAGE),
                most=MOST_COMMANDS, highest=left[0].highest, lowest=left[0].lowest, after=cursor if inside else None,
            )  # fmt: skip
            reply = await self._reader.find(request)
            speaking = reply.ids if left[0].members == "events" else await self._speaking(reply.ids)
            rows = {id: id if left[0].members == "events" else id.partition(".")[0] for id in speaking}
            found |= {id: row for id, row in rows.items() if id not in found}
            looked, cursor = looked + reply.looked, reply.cursor
            if cursor is None:
                del left[0]
                cursor = Cursor(left[0].highest, "~") if left and left[0].highest is not None else None
            if len(found) >= limit or time.monotonic() > deadline:
                break
        return found, looked, cursor if left else None

    async def _speaking(self, ids: Sequence[str]) -> list[str]:
        """Return those events that speak of the person, in their hooks or in what is sent because of them."""
        receipts = list(dict.fromkeys(id.partition(".")[0] for id in ids))
        raw = await self._reader.raw_receipts(receipts)
        events = await asyncio.to_thread(
            lambda: {
                one.id for receipt in raw.values() for one in events_of_receipt(receipt) if self._match.is_in_event(one)
            }
        )
        stored = await self._reader.receipts(receipts)
        with_remarks = [raw[one.id] for one in stored if one.remarks and one.id in raw and one.events]
        self._read_in_part += await asyncio.to_thread(
            lambda: [
                one.id
                for one in with_remarks
                if not any(id.startswith(one.id) for id in events) and is_in_body(one, self._match)
            ]
        )
        deliveries = await self._reader.deliveries([id for one in stored for id in one.deliveries])
        contents = await self._reader.contents(deliveries)
        events |= {
            one.event_id
            for one in deliveries
            if self._match.is_in_text(contents.get(one.content_id, b"").decode(errors="replace"))
        }
        return [id for id in ids if id in events]

    async def _unreadable(self) -> list[str]:
        """Return the receipts that could not be read, and speak of the person."""
        found: list[str] = []
        for state in (ReceiptState.MALFORMED, ReceiptState.QUARANTINED):
            ids = await self._reader.receipts_between(None, None, 0, MOST_UNREADABLE, state)
            raw = await self._reader.raw_receipts(ids)
            inflates = state is ReceiptState.MALFORMED
            found += [id for id, receipt in raw.items() if is_in_body(receipt, self._match, inflates=inflates)]
        return found

    async def _describe(self, ids: Sequence[str]) -> list[PassportEvent]:
        described: list[PassportEvent] = []
        for at in range(0, len(ids), PAGE):
            page = ids[at : at + PAGE]
            receipts = list(dict.fromkeys(id.partition(".")[0] for id in page))
            stored = {one.id: one for one in await self._reader.receipts(receipts)}
            raw = await self._reader.raw_receipts(receipts)
            events = {one.id: one for receipt in raw.values() for one in events_of_receipt(receipt)}
            for event in events.values():
                add_names_in(event)
            listed = [id for one in stored.values() for id in one.deliveries]
            deliveries = await self._reader.deliveries(listed)
            contents = await self._reader.contents(deliveries)
            described += [
                self._event(id, stored[id.partition(".")[0]], events.get(id), deliveries, contents)
                for id in page
                if id.partition(".")[0] in stored
            ]
        return described

    def _event(
        self,
        id: str,
        receipt: StoredReceipt,
        event: Event | None,
        deliveries: Sequence[StoredDelivery],
        contents: Mapping[str, bytes],
    ) -> PassportEvent:
        routed = next((one for one in receipt.events if f"{receipt.id}.{one.index}" == id), None)
        return PassportEvent(
            id=id,
            source=receipt.source,
            event=routed.name if routed else "",
            entity=routed.entity if routed else "",
            entity_id=routed.entity_id if routed else "",
            received_at=receipt.received_at,
            fields=field_texts(event.data) if event else {},
            deliveries=[
                self._delivery(one, contents.get(one.content_id, b"")) for one in deliveries if one.event_id == id
            ],
        )

    def _delivery(self, delivery: StoredDelivery, content: bytes) -> PassportDelivery:
        request = describe_request(self._config, delivery, content) if content else {}
        return PassportDelivery(
            id=delivery.id,
            route=delivery.route,
            sink=delivery.sink,
            state=delivery.state,
            created_at=delivery.created_at,
            finished_at=delivery.finished_at,
            attempts=delivery.attempts,
            fields=field_texts(_sent(request)),
        )


def _sent(request: Json) -> Json:
    """Return of a described request what is sent: its body, and without one all of it."""
    if isinstance(request, Mapping):
        return {name: one for name, one in request.items() if name not in ("method", "headers", "proxy")}
    return {"content": request}
