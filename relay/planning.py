"""Plan what becomes of a receipt: its events, the routes they match, and the deliveries that makes. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from relay.amocrm.events import names, read, to_form
from relay.amocrm.views import View, primary, views
from relay.config.load import Config, Source
from relay.errors import Malformed, MissingValue, RejectDelivery, SkipDelivery
from relay.model import (
    Account,
    DeliveryState,
    Event,
    NewDelivery,
    Receipt,
    ReceiptState,
    Record,
    Routed,
    RoutedEvent,
)
from relay.routing import Failure, Route, Template, delivery_id, match, once_id
from relay.sinks.base import Sink
from relay.store.keys import account_queue
from relay.store.subscriptions import Subscription


class Considered(Record, frozen=True):
    """A route held against an event: why it did not match, or the deliveries it made."""

    route: Route
    failure: Failure | None
    deliveries: Sequence[NewDelivery] = ()


class Made(Record, frozen=True):
    """What there is to send, or why there is nothing."""

    content: bytes = b""
    state: DeliveryState = DeliveryState.PENDING
    reason: str = ""


SUBSCRIPTION = "subscription"
"""What stands in the place of a route's name where an application subscribed to the event."""

Subscribed: TypeAlias = Mapping[str, Sequence[Subscription]]
"""The subscriptions to each source."""

NOBODY: Subscribed = MappingProxyType({})


def plan(receipt: Receipt, config: Config, sinks: Mapping[str, Sink], subscribed: Subscribed = NOBODY) -> Routed:
    """Decide what becomes of a receipt. Same receipt, configuration and subscriptions: same deliveries, same ids."""
    try:
        account, events = read(receipt)
    except Malformed as error:
        return _routed(receipt, config, ReceiptState.MALFORMED, str(error))
    source = config.sources.get(receipt.source)
    if reason := _refusal(account, source):
        return _routed(
            receipt, config, ReceiptState.REFUSED, reason, [_listed(e, ReceiptState.REFUSED, reason) for e in events]
        )
    listed: list[RoutedEvent] = []
    deliveries: list[NewDelivery] = []
    for event in events:
        state, reason, made = _plan_event(event, source, config, sinks, subscribed.get(event.source, ()))
        listed.append(_listed(event, state, reason))
        deliveries += made
    state, reason = _sum_up(listed)
    return _routed(receipt, config, state, reason, listed, deliveries)


def _routed(
    receipt: Receipt,
    config: Config,
    state: ReceiptState,
    reason: str,
    events: Sequence[RoutedEvent] = (),
    deliveries: Sequence[NewDelivery] = (),
) -> Routed:
    return Routed(
        receipt=receipt, state=state, reason=reason, config=config.version, events=events, deliveries=deliveries
    )


def _listed(event: Event, state: ReceiptState, reason: str) -> RoutedEvent:
    return RoutedEvent(
        index=event.index, name=event.name, entity=event.entity, entity_id=event.entity_id, state=state, reason=reason
    )


def _sum_up(events: Sequence[RoutedEvent]) -> tuple[ReceiptState, str]:
    """Tell a receipt's state from its events': routed where any was, else what the first one says."""
    states = {event.state for event in events}
    for state in (ReceiptState.ROUTED, ReceiptState.UNROUTED):
        if state in states:
            return state, "" if state is ReceiptState.ROUTED else "no route matched"
    return events[0].state, events[0].reason


def _refusal(account: Account, source: Source | None) -> str:
    """Say why a receipt is not ours: another account's hook reached our address."""
    if source is None:
        return ""  # gone from the configuration: no route is for it, and that is what will be said
    ours = source.account
    if ours.id and account.id and ours.id != account.id:
        return f"it is from account {account.id}, this source is account {ours.id}"
    if ours.subdomain and account.subdomain and ours.subdomain != account.subdomain:
        return f"it is from {account.subdomain!r}, this source is {ours.subdomain!r}"
    return ""


def _plan_event(
    event: Event,
    source: Source | None,
    config: Config,
    sinks: Mapping[str, Sink],
    subscriptions: Sequence[Subscription],
) -> tuple[ReceiptState, str, list[NewDelivery]]:
    if source is None:
        return ReceiptState.UNROUTED, f"source {event.source!r} is not in the configuration", []
    user = event.data.get("modified_user_id")
    if isinstance(user, str) and user in source.ignore_users:
        return ReceiptState.REFUSED, f"changed by user {user}, whom this source ignores", []
    made = [d for considered in consider(event, source, config, sinks, all_routes=False) for d in considered.deliveries]
    made += to_subscribers(event, subscriptions)
    if made:
        return ReceiptState.ROUTED, "", made
    return ReceiptState.UNROUTED, "no route matched", []


def consider(
    event: Event, source: Source, config: Config, sinks: Mapping[str, Sink], *, all_routes: bool
) -> Iterator[Considered]:
    """Hold routes against an event: those its source and name select, or for an explanation all of them."""
    names_ = names(event)
    routes = config.routes if all_routes else config.routes_for(event.source, names_)
    if not routes:
        return
    seen = views(event)
    context: dict[str, object] = {**seen, "timezone": source.timezone}
    view: View = seen[primary(event.name)]
    for route in routes:
        failure = match(route, event, names_, view)
        deliveries = () if failure else [_delivery(event, route, sinks[sink], context) for sink in route.sinks]
        yield Considered(route=route, failure=failure, deliveries=deliveries)


def to_subscribers(event: Event, subscriptions: Sequence[Subscription]) -> list[NewDelivery]:
    """Make the deliveries of an event to those who subscribed to one of its names, as amoCRM would send it."""
    if not subscriptions:
        return []
    names_ = names(event)
    wanted = [s for s in subscriptions if not s.disabled and not s.events.isdisjoint(names_)]
    content = to_form(event) if wanted else b""
    return [
        NewDelivery(
            id=delivery_id(event.id, SUBSCRIPTION, subscription.sink),
            event_id=event.id,
            route=SUBSCRIPTION,
            sink=subscription.sink,
            once=False,
            content=content,
        )
        for subscription in wanted
    ]


def _once_key(once: Template, context: Mapping[str, object]) -> str:
    key = once.render(context)
    if key is None or key == "":
        # All events without a value would be taken for one and the same.
        raise RejectDelivery("once: its value is empty for this event; add a condition that the field exists")
    return str(key)


def _delivery(event: Event, route: Route, sink: Sink, context: Mapping[str, object]) -> NewDelivery:
    """Make one delivery. One that cannot be rendered is there all the same; one that needs a look-up waits for it."""
    id, once = delivery_id(event.id, route.name, sink.name), False
    try:
        if route.once is not None:
            id, once = once_id(event.source, route.name, _once_key(route.once, context), sink.name), True
        made = _waiting(route) if route.fetch else Made(content=content_of(route, sink, context))
    except UNMADE as error:
        made = why_not(error, sink)
    return NewDelivery(
        id=id,
        event_id=event.id,
        route=route.name,
        sink=sink.name,
        once=once,
        content=made.content,
        state=made.state,
        reason=made.reason,
        queue=account_queue(event.source) if route.fetch else "",
    )


def _waiting(route: Route) -> Made:
    return Made(reason=f"waits for a look-up of {', '.join(sorted(route.fetch))}")


UNMADE = (SkipDelivery, MissingValue, RejectDelivery)


def content_of(route: Route, sink: Sink, context: Mapping[str, object]) -> bytes:
    """Render what a route gives a sink. Raises one of UNMADE."""
    params = route.content.render(context)
    assert isinstance(params, Mapping)  # a route's content is a mapping of its sink's keys
    return sink.content({**params, **{key: context[name] for key, name in sink.given.items()}})


def why_not(error: Exception, sink: Sink) -> Made:
    """Say what becomes of a delivery that cannot be made: where there is nobody to deliver to it is skipped."""
    nobody = isinstance(error, SkipDelivery) or (isinstance(error, MissingValue) and error.place in sink.skip_without)
    return Made(state=DeliveryState.SKIPPED if nobody else DeliveryState.DEAD, reason=str(error))
