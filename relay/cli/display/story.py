"""Format the story of an event or a delivery in lines, in the order in which things happened. Pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from relay.cli.display.explanation import format_matches
from relay.model import Attempt, DeliveryState, RoutedEvent
from relay.operations.next_step import find_next_step
from relay.operations.story import DeliveryStory, Story
from relay.store.stored import StoredDelivery, StoredReceipt
from relay.timefmt import format_time

if TYPE_CHECKING:  # to explain takes the configuration, and to read what was explained does not
    from relay.operations.explanation import Explanation


def format_story(story: Story, explanation: "Explanation | str" = "", kept_until: int | None = None) -> Iterator[str]:
    """Format a story in lines, with which routes match its events, or why that is not shown."""
    yield from _format_receipt(story.receipt)
    if kept_until is not None:
        yield f"  kept until {format_time(kept_until)}"
    for event in story.events:
        yield f"event {story.receipt.id}.{event.index}"
        yield f"  {event.name} {event.entity} {event.entity_id}".rstrip()
        yield f"  {_format_state(event.state, event.reason)}"
        yield from _format_routes(story.receipt, event, explanation)
    for delivery_story in story.deliveries:
        yield from _format_delivery(delivery_story, story.at)


def _format_routes(receipt: StoredReceipt, event: RoutedEvent, explanation: "Explanation | str") -> Iterator[str]:
    if isinstance(explanation, str):
        yield from [f"  routes: not shown: {explanation}"] if explanation else []
        return
    explained = next((one for one in explanation.events if one.index == event.index), None)
    if explained is None or not explained.routes:
        return
    if receipt.config and explanation.config != receipt.config:
        yield f"  by today's configuration, {explanation.config}:"
    yield from format_matches(explained)


def _format_receipt(receipt: StoredReceipt) -> Iterator[str]:
    yield f"receipt {receipt.id}"
    origin = "recovered from the account's history for" if receipt.recovered else "arrived from"
    size = f"{receipt.size} bytes" + (f" ({receipt.content_encoding})" if receipt.content_encoding else "")
    sender = f", {receipt.user_agent}" if receipt.user_agent else ""
    yield f"  {format_time(receipt.received_at)}  {origin} {receipt.source}, {size}{sender}"
    if receipt.made_by:
        yield f"  made by delivery {receipt.made_by}, which arrived: relay deliveries show {receipt.made_by}"
    if receipt.duplicates:
        last = format_time(receipt.last_duplicate_at)
        yield f"  {last}  duplicate received, {receipt.duplicates} in all: not routed again"
    version = f"{';' if receipt.reason else ''} under configuration {receipt.config}" if receipt.config else ""
    yield f"  {_format_state(receipt.state, receipt.reason)}{version}"
    if receipt.trace_id:
        yield f"  trace {receipt.trace_id}"
    yield from (f"  remark: {remark}" for remark in receipt.remarks)


def _format_delivery(story: DeliveryStory, now: int) -> Iterator[str]:
    delivery = story.delivery
    yield f"delivery {delivery.id}"
    rendered = f", rendered anew {delivery.generation} time(s)" if delivery.generation else ""
    yield f"  {delivery.route} → {delivery.sink}{', once per `once` key' if delivery.once else ''}{rendered}"
    if delivery.state is not DeliveryState.PUT_OFF:
        yield f"  {format_time(delivery.created_at)}  created"
    for attempt in story.attempts:
        yield f"  {format_time(attempt.at)}  {_format_attempt(attempt)}"
        if attempt.response:
            yield f"    they answered: {' '.join(attempt.response.split())}"
    if delivery.deaths:
        yield f"  {delivery.deaths} worker(s) died while working on it"
    yield f"  {_format_end(delivery, now)}"
    if delivery.led_to:
        yield f"  led to event {delivery.led_to}: relay events show {delivery.led_to}"
    elif delivery.led_to is not None:
        yield "  led to nothing more: five deliveries have followed each other already"
    if delivery.state is DeliveryState.HELD:
        yield f"  next: {find_next_step(delivery, now).text}"


def _format_attempt(attempt: Attempt) -> str:
    if attempt.number == 0:  # an operator's decision: its reason says what was decided, and by whom
        return attempt.reason
    times = f" ({attempt.times} times, this is the last)" if attempt.times > 1 else ""
    status = f" {attempt.status}" if attempt.status is not None else ""
    next_at = f", next attempt {format_time(attempt.next_at)}" if attempt.next_at is not None else ""
    provider = f", their id {attempt.provider_id}" if attempt.provider_id else ""
    head = f"attempt {attempt.number}{times}: {attempt.outcome}{status} in {attempt.took_ms} ms"
    return f"{head}: {attempt.reason}{provider}; {attempt.decision}{next_at}"


def _format_end(delivery: StoredDelivery, now: int) -> str:
    if delivery.state is DeliveryState.PUT_OFF:
        return f"put-off: {find_next_step(delivery, now).text}"
    if delivery.state is not DeliveryState.PENDING:
        when = f"{format_time(delivery.finished_at)}  " if delivery.finished_at is not None else ""
        return when + _format_state(delivery.state, delivery.reason)
    reason = delivery.reason if delivery.needs_lookup and not delivery.paused else ""
    return f"pending: {'; '.join(filter(None, [reason, find_next_step(delivery, now).text]))}"


def _format_state(state: str, reason: str) -> str:
    return f"{state}: {reason}" if reason else state
