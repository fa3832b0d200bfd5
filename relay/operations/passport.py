"""The passport of a person: which hooks speak of them, which sinks were sent what of it, and when."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from relay.config.config import Config
from relay.masking import mask_people_in_json, mask_secrets_in_json
from relay.model import Event, Json, ReceiptState, Record
from relay.operations.people_events import PersonMatch, add_names_in, events_of_receipt
from relay.operations.people_fields import field_texts
from relay.operations.people_query import KnownPerson, PersonQuery, index_keys, index_reach
from relay.operations.people_raw import is_in_body
from relay.operations.request_description import describe_request
from relay.operations.search import MOST_COMMANDS, MOST_LISTED, PAGE, format_cursor
from relay.operations.searched_sets import SearchedSets, sources_of
from relay.store.acts import Acts, Author
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery, StoredReceipt
from relay.store.wire.lists import Cursor, FindRequest

MOST_UNREADABLE: Final = 500  # of each state: hooks that could not be read
NOT_COVERED: Final = (
    "what names them in no other way than by a name, a nickname or a picture",
    "what retention has removed, and backups, which may still have it",
    "what amoCRM keeps, and what the sinks keep of what they were sent",
)
"""What a passport says of itself."""


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


class Passport(Record):
    """What the store has of a person, the newest first. `next`: where it goes on; null: there is no more.

    `contacts`: those that have the number or address. `found_by`: by the index of people, or by looking through all
    hooks; `looked`: at how many events, or hooks. `unreadable`: hooks that speak of them where they could not be read.
    """

    at: int
    person: str
    contacts: Sequence[str]
    found_by: Literal["index", "all"]
    looked: int
    total: int
    events: Sequence[PassportEvent]
    unreadable: Sequence[str]
    not_covered: Sequence[str]
    next: str | None


class PassportSearch:
    """Finds what speaks of a person. Its methods raise StoreUnavailable."""

    def __init__(self, reader: Reader, config: Config, known: KnownPerson) -> None:
        self._reader = reader
        self._config = config
        self._known = known
        self._match = PersonMatch(known.person, known.key)
        self._read_in_part: list[str] = []  # hooks that speak of them where they could not be read, of this page

    async def read(
        self, query: PersonQuery, limit: int, after: Cursor | None, *, thorough: bool, seconds: float
    ) -> Passport:
        """Read a page of the passport: so many events, or what was found in so many seconds.

        `thorough`: look through all hooks though there is an index.
        """
        sets = await self._sets(query, thorough=thorough)
        self._read_in_part = []
        found, looked, cursor = await self._find(sets, min(limit, MOST_LISTED), after, seconds)
        return Passport(
            at=await self._reader.now(),
            person=query.described(),
            contacts=self._known.contacts,
            found_by="index" if any(one.members == "events" for one in sets) else "all",
            looked=looked,
            total=sum(one.total for one in sets),
            events=await self._describe(found),
            unreadable=[*([] if after is not None else await self._unreadable()), *self._read_in_part],
            not_covered=NOT_COVERED,
            next=None if cursor is None else format_cursor(cursor),
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
            await self._set("events", keys, reach, None),
        ]

    async def _set(
        self, members: Literal["receipts", "events"], keys: Sequence[str], highest: int | None, lowest: int | None
    ) -> SearchedSets:
        counts = await self._reader.count(keys, lowest, highest)
        there = [key for key, count in zip(keys, counts, strict=True) if count]
        return SearchedSets(members=members, keys=there, total=sum(counts), highest=highest, lowest=lowest)

    async def _find(
        self, sets: Sequence[SearchedSets], limit: int, after: Cursor | None, seconds: float
    ) -> tuple[list[str], int, Cursor | None]:
        """Return ids of events, how many rows were looked at, and where it goes on."""
        found: dict[str, None] = {}
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
            found |= dict.fromkeys(speaking)
            looked, cursor = looked + reply.looked, reply.cursor
            if cursor is None:
                del left[0]
                cursor = Cursor(left[0].highest, "~") if left and left[0].highest is not None else None
            if len(found) >= limit or time.monotonic() > deadline:
                break
        return list(found), looked, cursor if left else None

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


async def note_shown(acts: Acts, query: PersonQuery, author: Author) -> None:
    """Write into the audit that a passport was shown, before it is. Raises StoreUnavailable."""
    await acts.note("reveal", f"person {query.described()}", author)


def mask_passport(passport: Passport) -> Passport:
    """Return a passport with people and secrets masked."""
    masked = mask_people_in_json(mask_secrets_in_json(msgspec.to_builtins(passport)))
    return replace(msgspec.convert(masked, Passport), next=passport.next)  # where it goes on is no one's number


def _sent(request: Json) -> Json:
    """Return of a described request what is sent: its body, and without one all of it."""
    if isinstance(request, Mapping):
        return {name: one for name, one in request.items() if name not in ("method", "headers", "proxy")}
    return {"content": request}
