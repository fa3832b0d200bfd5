"""The whole story of an event or a delivery, in order: what came, what became of it, every attempt, what is next."""

from collections.abc import Iterator, Sequence

import msgspec

from relay.cli.timefmt import format_time
from relay.errors import RelayError
from relay.model import Attempt, DeliveryState, Record, RoutedEvent
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery, StoredReceipt


class DeliveryStory(Record):
    """A delivery with its attempts, oldest first."""

    delivery: StoredDelivery
    attempts: Sequence[Attempt]


class Story(Record):
    """A receipt, one of its events or all of them, and the deliveries of these."""

    receipt: StoredReceipt
    events: Sequence[RoutedEvent]
    deliveries: Sequence[DeliveryStory]


async def of_event(reader: Reader, id: str) -> Story:
    """Read the story of an event ("<receipt>.<n>"), or of a whole receipt. Raises RelayError where it is not there."""
    receipt_id, _, index = id.partition(".")
    found = await reader.receipts([receipt_id])
    events = [event for receipt in found for event in receipt.events if index in ("", str(event.index))]
    if not found or (index and not events):
        raise RelayError(
            f"no event {id}: give a full id, as `relay events list` shows it; retention may have removed it"
        )
    wanted = {event.index for event in events}
    ids = [delivery for delivery, at in found[0].deliveries.items() if at in wanted]
    return Story(receipt=found[0], events=events, deliveries=await _with_attempts(reader, ids))


async def of_delivery(reader: Reader, id: str) -> Story:
    """Read the story of a delivery. Raises RelayError where it is not there."""
    deliveries = await _with_attempts(reader, [id])
    if not deliveries:
        raise RelayError(
            f"no delivery {id}: give a full id, as `relay deliveries list` shows it; retention may have removed it"
        )
    receipt_id, _, index = deliveries[0].delivery.event_id.partition(".")
    receipt = (await reader.receipts([receipt_id]))[0]
    events = [event for event in receipt.events if str(event.index) == index]
    return Story(receipt=receipt, events=events, deliveries=deliveries)


async def _with_attempts(reader: Reader, ids: Sequence[str]) -> list[DeliveryStory]:
    return [
        DeliveryStory(delivery=delivery, attempts=await reader.story(delivery.id))
        for delivery in await reader.deliveries(ids)
    ]


def record(story: Story) -> dict[str, object]:
    """Return a story for programs: every field by its name."""
    receipt = {**msgspec.structs.asdict(story.receipt), "events": [_named(event) for event in story.receipt.events]}
    return {"receipt": receipt, "events": [_named(event) for event in story.events], "deliveries": story.deliveries}


def _named(event: RoutedEvent) -> dict[str, object]:
    return msgspec.structs.asdict(event)


def format_story(story: Story) -> Iterator[str]:
    """Tell a story in lines."""
    receipt = story.receipt
    yield f"receipt {receipt.id}"
    sender = f", {receipt.user_agent}" if receipt.user_agent else ""
    how = "recovered, as no hook had told it, for" if receipt.recovered else "arrived from"
    yield f"  {format_time(receipt.received_at)}  {how} {receipt.source}, {receipt.size} bytes{sender}"
    if receipt.duplicates:
        last = format_time(receipt.last_duplicate_at)
        yield f"  {last}  came again, {receipt.duplicates} time(s) in all: not routed again"
    version = f" under configuration {receipt.config}" if receipt.config else ""
    yield f"  {_state(receipt.state, receipt.reason)}{version}"
    for event in story.events:
        yield f"event {receipt.id}.{event.index}"
        yield f"  {event.name} {event.entity} {event.entity_id}".rstrip()
        yield f"  {_state(event.state, event.reason)}"
    for one in story.deliveries:
        yield from _format_delivery(one)


def _format_delivery(story: DeliveryStory) -> Iterator[str]:
    delivery = story.delivery
    yield f"delivery {delivery.id}"
    yield f"  {delivery.route} → {delivery.sink}{', once for good' if delivery.once else ''}"
    yield f"  {format_time(delivery.created_at)}  made"
    for attempt in story.attempts:
        yield f"  {format_time(attempt.at)}  {_attempt(attempt)}"
    if delivery.deaths:
        yield f"  {delivery.deaths} worker(s) died while they held it"
    yield f"  {_end(delivery)}"


def _attempt(attempt: Attempt) -> str:
    times = f" ({attempt.times} times, this is the last)" if attempt.times > 1 else ""
    status = f" {attempt.status}" if attempt.status is not None else ""
    next_at = f", next try {format_time(attempt.next_at)}" if attempt.next_at is not None else ""
    provider = f", their id {attempt.provider_id}" if attempt.provider_id else ""
    head = f"attempt {attempt.number}{times}: {attempt.outcome}{status} in {attempt.took_ms} ms"
    return f"{head}: {attempt.reason}{provider}; {attempt.decision}{next_at}"


def _end(delivery: StoredDelivery) -> str:
    if delivery.state is not DeliveryState.PENDING:
        when = f"{format_time(delivery.finished_at)}  " if delivery.finished_at is not None else ""
        return when + _state(delivery.state, delivery.reason)
    if delivery.in_flight:
        return "pending: it is being sent"
    return f"pending: next try {format_time(delivery.due_at)}"


def _state(state: str, reason: str) -> str:
    return f"{state}: {reason}" if reason else state
