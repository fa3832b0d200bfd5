"""Read the story of an event or a delivery: its receipt, its events, its deliveries and every attempt."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from relay.errors import RelayError
from relay.model import AnyJson, Attempt, Json, ReceiptState, Record, RoutedEvent
from relay.operations.next_step import NextStep, find_next_step
from relay.store.put_off import PutOff
from relay.store.put_off_rows import read_put_off_of
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery, StoredReceipt

if TYPE_CHECKING:  # to explain takes the configuration, and to read what was explained does not
    from relay.operations.explanation import Explanation


class DeliveryStory(Record):
    """A delivery with its attempts, oldest first."""

    delivery: StoredDelivery
    attempts: Sequence[Attempt]


class Story(Record):
    """A receipt, all its events or one of them, and their deliveries, at a time of the store's clock."""

    at: int

    receipt: StoredReceipt
    events: Sequence[RoutedEvent]
    deliveries: Sequence[DeliveryStory]


async def read_event_story(reader: Reader, id: str) -> Story:
    """Read the story of an event ("<receipt>.<index>") or of a whole receipt. Raises RelayError where there is none."""
    receipt_id, _, index = id.partition(".")
    receipts = await reader.receipts([receipt_id])
    events = [event for receipt in receipts for event in receipt.events if index in ("", str(event.index))]
    if not receipts or (index and not events):
        raise _not_found("event", id, "relay events list")
    indexes = {event.index for event in events}
    ids = [delivery for delivery, event in receipts[0].deliveries.items() if event in indexes]
    put_off = {one.id: one for one in await read_put_off_of(reader, receipts)}
    made = await _with_attempts(reader, [id for id in ids if id not in put_off])
    waiting = [DeliveryStory(delivery=put_off[id], attempts=()) for id in ids if id in put_off]
    deliveries = sorted([*made, *waiting], key=lambda one: ids.index(one.delivery.id))
    return Story(at=await reader.now(), receipt=receipts[0], events=events, deliveries=deliveries)


async def read_delivery_story(reader: Reader, id: str) -> Story:
    """Read the story of a delivery. Raises RelayError where there is none."""
    deliveries = await _with_attempts(reader, [id])
    if not deliveries:
        deliveries = await _put_off_story(reader, id)
    receipt_id, _, index = deliveries[0].delivery.event_id.partition(".")
    receipt = (await reader.receipts([receipt_id]))[0]
    events = [event for event in receipt.events if str(event.index) == index]
    return Story(at=await reader.now(), receipt=receipt, events=events, deliveries=deliveries)


async def _put_off_story(reader: Reader, id: str) -> list[DeliveryStory]:
    found = [await PutOff(one.client, one.namespace).find_all([id]) for one in reader.each.values()]
    receipts = await reader.receipts([one.receipt_id for part in found for one in part.values()])
    listed = [one for one in await read_put_off_of(reader, receipts) if one.id == id]
    if not listed:
        raise _not_found("delivery", id, "relay deliveries list")
    return [DeliveryStory(delivery=one, attempts=()) for one in listed]


async def _with_attempts(reader: Reader, ids: Sequence[str]) -> list[DeliveryStory]:
    return [
        DeliveryStory(delivery=delivery, attempts=await reader.story(delivery.id))
        for delivery in await reader.deliveries(ids)
    ]


def _not_found(kind: str, id: str, command: str) -> RelayError:
    return RelayError(f"no {kind} {id}: give a full id, as `{command}` shows it; retention may have removed it")


class MatchedRoute(Record):
    """Whether a route matches an event, and which condition fails where it does not."""

    route: str
    matched: bool
    because: str


class ToldEvent(Record, omit_defaults=True):
    """An event with its fields by name, which are stored as an array. `routes`: of the configuration that explains."""

    index: int
    name: str
    entity: str
    entity_id: str
    state: ReceiptState
    reason: str
    routes: Sequence[MatchedRoute] | None = None
    routes_config: str | None = None


class ToldReceipt(StoredReceipt):
    """A receipt, with its events by name."""

    events: Sequence[ToldEvent]  # type: ignore[assignment]  # in place of those that are stored as arrays


class ToldDelivery(DeliveryStory):
    """A delivery with its attempts, and what happens next to it."""

    next: NextStep


class ToldStory(Record, omit_defaults=True):
    """A story as programs read it. `request`: what a single delivery sends, or why it is not shown.

    `kept_until`: when retention removes the receipt, by the configuration in force; none while something of it waits.
    """

    receipt: ToldReceipt
    events: Sequence[ToldEvent]
    deliveries: Sequence[ToldDelivery]
    request: AnyJson = None
    kept_until: int | None = None


def tell_story(story: Story, explanation: "Explanation | None" = None, request: Json = None) -> ToldStory:
    """Return a story for programs.

    With an explanation its events have the routes of that configuration too: which match, and why others do not.
    """
    receipt = {**msgspec.structs.asdict(story.receipt), "events": list(map(_told_event, story.receipt.events))}
    events = [_told_event(event, explanation) for event in story.events]
    deliveries = [
        ToldDelivery(delivery=one.delivery, attempts=one.attempts, next=find_next_step(one.delivery, story.at))
        for one in story.deliveries
    ]
    return ToldStory(receipt=ToldReceipt(**receipt), events=events, deliveries=deliveries, request=request)


def _told_event(event: RoutedEvent, explanation: "Explanation | None" = None) -> ToldEvent:
    fields = msgspec.structs.asdict(event)
    if explanation is None:
        return ToldEvent(**fields)
    routes = [route for one in explanation.events if one.index == event.index for route in one.routes]
    matches = [MatchedRoute(route=route.route, matched=route.matched, because=route.because) for route in routes]
    return ToldEvent(**fields, routes=matches, routes_config=explanation.config)
