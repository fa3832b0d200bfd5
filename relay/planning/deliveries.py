"""Make the deliveries of an event: to the sinks of routes, and to subscribers."""

from collections.abc import Mapping, Sequence
from typing import Final

from relay.amocrm.event_names import routable_names
from relay.amocrm.events import encode_event
from relay.config.schema import SubscribersSection
from relay.errors import RejectDelivery
from relay.model import DeliveryState, Event, NewDelivery, Record, Subscription
from relay.planning.allowed import limit_event
from relay.planning.content import RENDER_ERRORS, RenderedContent, render_params, shadowed, unsendable
from relay.planning.matching import PlannedDelivery
from relay.routing import Renderer, delivery_id, key_digest, once_id

SUBSCRIPTION: Final = "subscription"
"""What stands in place of a route's name where an application subscribed to the event."""


class RenderedTemplates(Record):
    """What a route's templates came to: its keys, and what its sink is given; or the error of one."""

    once_key: str | None = None
    order_key: str = ""
    latest_key: str = ""
    params: Mapping[str, object] | None = None  # None: it waits for a look-up, or `error` says why
    error: Exception | None = None


def render_templates(planned: PlannedDelivery) -> RenderedTemplates:
    """Render the keys, and the content unless it waits for a look-up."""
    route, key, params = planned.route, None, None
    order = latest = ""
    try:
        if route.once is not None:
            key = _once_key(route.once, planned.context)
        if route.order is not None:
            order = _waiting_key("order", route.order, planned.context)
        if route.latest is not None:
            latest = _waiting_key("latest", route.latest, planned.context)
        if not route.fetch:
            params = render_params(route, planned.sink, planned.context)
    except RENDER_ERRORS as error:
        return RenderedTemplates(once_key=key, error=error)
    return RenderedTemplates(once_key=key, order_key=order, latest_key=latest, params=params)


def _once_key(once: Renderer, context: Mapping[str, object]) -> str:
    key = once.render(context)
    if key is None or key == "":
        # All events without a value would count as one and the same.
        raise RejectDelivery("once: its value is empty for this event; add a condition that the field exists")
    return str(key)


def _waiting_key(name: str, template: Renderer, context: Mapping[str, object]) -> str:
    """Render a key that is about what waits; empty: the delivery has none."""
    key = template.render(context)
    if isinstance(key, list | tuple | Mapping):
        raise RejectDelivery(f"{name}: its value is not one text or number but several; add a filter such as join")
    return "" if key is None else str(key)


def new_delivery(planned: PlannedDelivery, rendered: RenderedTemplates) -> NewDelivery:
    """Return a delivery. One that cannot be rendered exists too, at its end already and with the reason."""
    event, route, sink = planned.event, planned.route, planned.sink
    if rendered.once_key is None:
        id = delivery_id(event.id, route.name, sink.name, shadow=route.shadow)
    else:
        id = once_id(event.source, route.name, rendered.once_key, sink.name, shadow=route.shadow)
    content = _content(planned, rendered)
    waits = rendered.params is None and rendered.error is None
    if route.shadow and not waits:
        content = shadowed(content)
    may_leave = content.state is DeliveryState.PENDING and not route.shadow
    return NewDelivery(
        id=id,
        event_id=event.id,
        route=route.name,
        sink=sink.name,
        once=rendered.once_key is not None,
        content=content.content,
        state=content.state,
        reason=content.reason,
        needs_lookup=bool(route.fetch),
        order=key_digest(event.source, route.name, rendered.order_key) if may_leave else "",
        latest=key_digest(event.source, route.name, rendered.latest_key) if may_leave else "",
    )


def _content(planned: PlannedDelivery, rendered: RenderedTemplates) -> RenderedContent:
    if rendered.error is not None:
        return unsendable(rendered.error, planned.sink)
    if rendered.params is None:
        return RenderedContent(reason=f"waits for a look-up of {', '.join(sorted(planned.route.fetch))}")
    try:
        return RenderedContent(content=planned.sink.content(rendered.params))
    except RENDER_ERRORS as error:
        return unsendable(error, planned.sink)


def subscriber_deliveries(
    event: Event, subscriptions: Sequence[Subscription], settings: SubscribersSection
) -> list[NewDelivery]:
    """Return the deliveries of an event to those who subscribed to one of its names, as amoCRM would send it.

    `settings`: which events, and what of them, may go out.
    """
    if not subscriptions:
        return []
    names = routable_names(event)
    if settings.allowed_events is not None and names.isdisjoint(settings.allowed_events):
        return []
    subscribed = [one for one in subscriptions if not one.disabled and not one.events.isdisjoint(names)]
    if subscribed and settings.allowed_fields is not None:
        event = limit_event(event, settings.allowed_fields)
    content = encode_event(event) if subscribed else b""
    return [
        NewDelivery(
            id=delivery_id(event.id, SUBSCRIPTION, one.sink),
            event_id=event.id,
            route=SUBSCRIPTION,
            sink=one.sink,
            once=False,
            content=content,
        )
        for one in subscribed
    ]
