"""Format the explanation of a receipt in lines. Pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from relay.cli.display.request import format_request

if TYPE_CHECKING:  # to explain takes the configuration, and to read what was explained does not
    from relay.operations.explanation import EventExplanation, ExplainedDelivery, Explanation, RouteExplanation


def format_explanation(explanation: "Explanation") -> Iterator[str]:
    """Format an explanation in lines."""
    yield f"source {explanation.source}: {_format_state(explanation.state, explanation.reason)}"
    yield from (f"  remark: {remark}" for remark in explanation.remarks)
    for event in explanation.events:
        yield ""
        yield from _format_event(event)


def format_matches(event: "EventExplanation") -> Iterator[str]:
    """Format in lines which routes match an event, and why the others do not."""
    for route in event.routes:
        yield f"  ✓ {route.route}" if route.matched else f"  ✗ {route.route}: {route.because}"


def _format_event(event: "EventExplanation") -> Iterator[str]:
    yield f"{event.event} {event.entity} {event.entity_id}: {_format_state(event.state, event.reason)}"
    for route in event.routes:
        yield from _format_route(route)


def _format_route(route: "RouteExplanation") -> Iterator[str]:
    if not route.matched:
        yield f"  ✗ {route.route}: {route.because}"
        return
    yield f"  ✓ {route.route}"
    for delivery in route.deliveries:
        yield from _format_delivery(delivery)


def _format_delivery(delivery: "ExplainedDelivery") -> Iterator[str]:
    yield f"      → {delivery.sink}: {_format_state(delivery.state, delivery.reason)}"
    if delivery.note:
        yield f"        {delivery.note}"
    if delivery.order_key:
        yield f"        order {delivery.order_key}: it waits while one of this key that arrived before it is pending"
    if delivery.latest_key:
        yield f"        latest {delivery.latest_key}: of those with this key that wait, only the newest is sent"
    for route in delivery.leads_to:
        yield f"        when it has arrived, {route} follows"
    if delivery.request is not None:
        yield from (f"      {line}" for line in format_request(delivery.request))


def _format_state(state: str, reason: str) -> str:
    return f"{state}, {reason}" if reason else state
