"""Complete deliveries whose look-up is answered: the rest of their conditions, then their content. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from relay.amocrm.custom_fields import CustomFields
from relay.amocrm.events import decode_receipt
from relay.amocrm.people import People
from relay.amocrm.views import FETCHABLE, View, event_views, fetched_view, main_view
from relay.config.config import Config
from relay.errors import MissingValue
from relay.model import CompletedLookup, Delivery, DeliveryState, Event, Receipt, Record
from relay.planning import RENDER_ERRORS, RenderedContent, render_content, unsendable
from relay.routing import Route
from relay.sinks.base import Sink


class PendingLookup(Record):
    """A delivery that waits for what is known of a lead, with all else that it is made of."""

    delivery: Delivery
    event: Event
    route: Route
    sink: Sink
    timezone: str

    @property
    def lead(self) -> str:
        """Return the id of the lead that is looked up."""
        return self.event.entity_id


def pending_lookups(
    deliveries: Iterable[Delivery], receipts: Mapping[str, Receipt], config: Config, sinks: Mapping[str, Sink]
) -> tuple[list[PendingLookup], list[Delivery]]:
    """Put together what deliveries are made of; second, those whose route, sink or source is not in this configuration.

    `receipts` has those that the deliveries' events are of, by id.
    """
    routes = {route.name: route for route in config.routes}
    known, unknown = [], []
    for delivery in deliveries:
        route, sink, source = routes.get(delivery.route), sinks.get(delivery.sink), config.sources.get(delivery.source)
        if route is None or sink is None or source is None:
            unknown.append(delivery)
        else:
            event = _event(delivery, receipts)
            known.append(
                PendingLookup(delivery=delivery, event=event, route=route, sink=sink, timezone=source.timezone)
            )
    return known, unknown


def what_to_fetch(deliveries: Iterable[PendingLookup]) -> tuple[set[str], set[str]]:
    """Return the ids of the leads, and what is to be fetched of them."""
    found = list(deliveries)
    return {one.lead for one in found if one.lead}, {what for one in found for what in one.route.fetch}


def _event(delivery: Delivery, receipts: Mapping[str, Receipt]) -> Event:
    receipt_id, _, index = delivery.event_id.partition(".")
    return decode_receipt(receipts[receipt_id])[1][int(index)]


def complete_lookup(one: PendingLookup, people: People | None) -> CompletedLookup:
    """Decide what becomes of a delivery by what was found of its lead; None: it is not in the account."""
    if people is None:
        reason = (
            f"lead {one.lead} is not in the account" if one.lead else "the hook does not say which lead it is about"
        )
        made = RenderedContent(state=DeliveryState.SKIPPED, reason=reason)
    else:
        made = _render(one, _found(people, one.route.fetch))
    return CompletedLookup(delivery=one.delivery, content=made.content, state=made.state, reason=made.reason)


def _found(people: People, fetch: Collection[str]) -> dict[str, View | Sequence[View] | None]:
    own: dict[str, View | Sequence[View] | None] = {
        "contact": None if people.contact is None else fetched_view("contact", people.contact),
        "contacts": [fetched_view("contact", data) for data in people.contacts],
        "company": None if people.company is None else fetched_view("company", people.company),
        "responsible": None if people.responsible is None else fetched_view("responsible", people.responsible),
    }
    return {view: own[view] for what in fetch for view in FETCHABLE[what]}


def _render(one: PendingLookup, found: Mapping[str, View | Sequence[View] | None]) -> RenderedContent:
    seen = event_views(one.event)
    if one.route.where_fetched is not None:
        failure = one.route.where_fetched.check(_ViewWithFetched(seen[main_view(one.event.name)], found))
        if failure is not None:
            return RenderedContent(state=DeliveryState.SKIPPED, reason=f"where: {_path(failure.path)} did not hold")
    there = {name: view for name, view in found.items() if view is not None}
    try:
        return RenderedContent(content=render_content(one.route, one.sink, {**seen, **there, "timezone": one.timezone}))
    except RENDER_ERRORS as error:
        return _skip_missing_person(error, one, found) or unsendable(error, one.sink)


def _skip_missing_person(error: Exception, one: PendingLookup, found: Mapping[str, object]) -> RenderedContent | None:
    """Skip where what was looked up is not there: nothing is wrong with the route."""
    named = re.match(r"\w+", error.what) if isinstance(error, MissingValue) else None
    if not isinstance(error, MissingValue) or named is None or named[0] not in found:
        return None
    name = named[0]
    why = f"{error.what}, nor in the account" if found[name] else f"lead {one.lead} has no {name.removesuffix('s')}"
    return RenderedContent(state=DeliveryState.SKIPPED, reason=f"{error.place}: {why}")


def _path(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path[1:])) or "a condition"


class _ViewWithFetched:
    """The event's own view, with what was looked up beside its fields."""

    def __init__(self, own: View, found: Mapping[str, object]) -> None:
        self._own = own
        self._found = found

    @property
    def custom(self) -> CustomFields:
        """Return the custom fields of the event's own view."""
        return self._own.custom

    def get(self, field: str) -> object:
        """Return what was looked up, or a field of the event's own view."""
        return self._found[field] if field in self._found else self._own.get(field)
