"""Plan what becomes of deliveries whose look-up is answered: check the rest of `where`, then render the content."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

from relay.amocrm.events import decode_receipt
from relay.amocrm.people import FETCHABLE, People
from relay.amocrm.views import View, ViewWithOthers, event_views, fetched_view, main_view
from relay.config.config import Config
from relay.errors import Malformed, MissingValue
from relay.model import CompletedLookup, Delivery, DeliveryState, Event, Receipt, Record
from relay.planning.content import RENDER_ERRORS, ContentSink, RenderedContent, render_content, shadowed, unsendable
from relay.routing import Route, is_shadow_id

FetchedViews: TypeAlias = Mapping[str, View | Sequence[View] | None]
"""The views of what was looked up, by name; None: there is no such thing."""


class PendingLookup(Record):
    """A delivery that waits for a look-up of its event's lead, and what it takes to complete it."""

    delivery: Delivery
    event: Event
    route: Route
    sink: ContentSink
    timezone: str

    @property
    def lead(self) -> str:
        """Return the id of the lead to look up; "" where the event has none."""
        return self.event.entity_id


def pending_lookups(
    deliveries: Iterable[Delivery],
    receipts: Mapping[str, Receipt],
    config: Config,
    sinks: Mapping[str, ContentSink],
) -> tuple[list[PendingLookup], list[Delivery], list[CompletedLookup]]:
    """Return the look-ups of deliveries, and the deliveries whose route, sink or source is no longer configured.

    Then the ends of those whose hook cannot be read any more: it was removed by hand, or restored in part. `receipts`
    has the receipts of their events, by id.
    """
    routes = {route.name: route for route in config.routes}
    pending, unconfigured, unreadable = [], [], []
    for delivery in deliveries:
        route, sink, source = routes.get(delivery.route), sinks.get(delivery.sink), config.sources.get(delivery.source)
        if route is None or sink is None or source is None:
            unconfigured.append(delivery)
            continue
        try:
            event = _event(delivery, receipts)
        except Malformed as error:
            dead = RenderedContent(state=DeliveryState.DEAD, reason=f"its hook cannot be read any more: {error}")
            unreadable.append(_completed(delivery, dead))
            continue
        pending.append(PendingLookup(delivery=delivery, event=event, route=route, sink=sink, timezone=source.timezone))
    return pending, unconfigured, unreadable


def _event(delivery: Delivery, receipts: Mapping[str, Receipt]) -> Event:
    """Return the event of a delivery. Raises Malformed."""
    receipt_id, _, index = delivery.event_id.partition(".")
    if receipt_id not in receipts:
        raise Malformed("it is gone")
    events = decode_receipt(receipts[receipt_id])[1]
    if int(index) >= len(events):
        raise Malformed(f"it has {len(events)} events, none of number {index}")
    return events[int(index)]


def what_to_fetch(lookups: Sequence[PendingLookup]) -> tuple[set[str], set[str]]:
    """Return the ids of the leads to look up, and the union of what their routes fetch."""
    return {one.lead for one in lookups if one.lead}, {what for one in lookups for what in one.route.fetch}


def complete_lookup(lookup: PendingLookup, people: People | None) -> CompletedLookup:
    """Return what becomes of a delivery by what was found of its lead. None: the lead is not in the account."""
    if people is not None:
        content = _render(lookup, _fetched_views(people, lookup.route.fetch))
    elif lookup.lead:
        content = _skipped(f"lead {lookup.lead} is not in the account")
    else:
        content = _skipped("the hook does not say which lead it is about")
    return _completed(lookup.delivery, content)


def _completed(delivery: Delivery, content: RenderedContent) -> CompletedLookup:
    if is_shadow_id(delivery.id):
        content = shadowed(content)
    return CompletedLookup(delivery=delivery, content=content.content, state=content.state, reason=content.reason)


def _fetched_views(people: People, fetch: Collection[str]) -> FetchedViews:
    views: FetchedViews = {
        "contact": None if people.contact is None else fetched_view("contact", people.contact),
        "contacts": [fetched_view("contact", data) for data in people.contacts],
        "company": None if people.company is None else fetched_view("company", people.company),
        "responsible": None if people.responsible is None else fetched_view("responsible", people.responsible),
    }
    return {name: views[name] for what in fetch for name in FETCHABLE[what]}


def _render(lookup: PendingLookup, fetched: FetchedViews) -> RenderedContent:
    route, views = lookup.route, event_views(lookup.event)
    if route.where_fetched is not None:
        failure = route.where_fetched.check(ViewWithOthers(views[main_view(lookup.event.name)], fetched))
        if failure is not None:
            return _skipped(f"where: {_condition_name(failure.path)} did not hold")
    found = {name: view for name, view in fetched.items() if view is not None}
    try:
        content = render_content(route, lookup.sink, {**views, **found, "timezone": lookup.timezone})
    except RENDER_ERRORS as error:
        return _skip_if_not_in_account(error, lookup, fetched) or unsendable(error, lookup.sink)
    return RenderedContent(content=content)


def _skip_if_not_in_account(
    error: Exception, lookup: PendingLookup, fetched: Mapping[str, object]
) -> RenderedContent | None:
    """Skip the delivery if what is missing was looked up: the account does not have it, and the route is right."""
    if not isinstance(error, MissingValue):
        return None
    view = re.split(r"\W", error.what, maxsplit=1)[0]  # of "contact.email is not in this hook"
    if view not in fetched:
        return None
    missing = (
        f"{error.what}, nor in the account" if fetched[view] else f"lead {lookup.lead} has no {view.removesuffix('s')}"
    )
    return _skipped(f"{error.place}: {missing}")


def _skipped(reason: str) -> RenderedContent:
    return RenderedContent(state=DeliveryState.SKIPPED, reason=reason)


def _condition_name(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path[1:])) or "a condition"
