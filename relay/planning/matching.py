"""Match an event against routes: which sinks it goes to, with what context for the templates."""

from collections.abc import Mapping
from typing import TypeAlias

from relay.amocrm.views import View, event_views, main_view
from relay.model import Event, Record
from relay.planning.content import ContentSink
from relay.routing import Route, RouteIndex, matches_route

Context: TypeAlias = Mapping[str, object]
"""What templates see: the views by name, and `timezone`."""


class PlannedDelivery(Record):
    """A delivery to render: an event, a route that it matches, one of the route's sinks."""

    event: Event
    route: Route
    sink: ContentSink
    context: Context


def match_routes(
    event: Event, names: frozenset[str], routes: RouteIndex, sinks: Mapping[str, ContentSink], timezone: str
) -> list[PlannedDelivery]:
    """Return the deliveries of an event to the sinks of the routes that match. `names` are its `routable_names`."""
    view, context = event_context(event, timezone)
    return [
        PlannedDelivery(event=event, route=route, sink=sinks[sink], context=context)
        for route in routes.candidates(view)
        if matches_route(route, event, names, view)
        for sink in route.sinks
    ]


def event_context(event: Event, timezone: str) -> tuple[View, Context]:
    """Return the view that conditions on an event read, and the context of its templates."""
    views = event_views(event)
    return views[main_view(event.name)], {**views, "timezone": timezone}
