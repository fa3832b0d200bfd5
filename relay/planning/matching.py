"""Match an event against routes: which sinks it goes to, with what context for the templates."""

from collections.abc import Mapping
from typing import TypeAlias

from relay.config.config import Source
from relay.events import views_of
from relay.facts.body import is_each, sink_of_fact
from relay.facts.kinds import OWN_SOURCE
from relay.model import Event, Record
from relay.planning.content import ContentSink
from relay.routing import Failure, Route, RouteIndex, SupportsFields, check_route, matches_route

Context: TypeAlias = Mapping[str, object]
"""What templates see: the views by name, and `timezone`."""


class PlannedDelivery(Record):
    """A delivery to render: an event, a route that it matches, one of the route's sinks."""

    event: Event
    route: Route
    sink: ContentSink
    context: Context


def match_routes(
    event: Event, names: frozenset[str], routes: RouteIndex, sinks: Mapping[str, ContentSink], source: Source
) -> list[PlannedDelivery]:
    """Return the deliveries of an event to the sinks of the routes that match. `names` are those that find it."""
    view, context = event_context(event, source)
    return [
        PlannedDelivery(event=event, route=route, sink=sinks[sink], context=context)
        for route in routes.candidates(view)
        if matches_route(route, event, names, view)
        for sink in _sinks_for(event, route)
    ]


def match_failure(route: Route, event: Event, names: frozenset[str], view: SupportsFields) -> Failure | None:
    """Return None if the event goes to a sink of the route, else the first reason why not."""
    failure = check_route(route, event, names, view)
    if failure is not None or _sinks_for(event, route):
        return failure
    if is_each(event) is not route.each:
        return _NotForRoute(reason=_ALONE if is_each(event) else _TOGETHER).failure()
    return _NotForRoute(reason=f"to: the fact is about {sink_of_fact(event)} itself").failure()


_ALONE = "each: this tells of one alone, for routes with each: true"
_TOGETHER = "each: this tells of all that is alike, and a route with each: true gets every one alone"


def _sinks_for(event: Event, route: Route) -> tuple[str, ...]:
    """Return the sinks of a matching route to which an event goes.

    A fact goes to the routes that ask for each, or that ask for what is alike together, and never to the sink that it
    is about: what came of that would be another fact.
    """
    if event.source != OWN_SOURCE:
        return route.sinks
    if is_each(event) is not route.each:
        return ()
    return tuple(sink for sink in route.sinks if sink != sink_of_fact(event))


class _NotForRoute(Record):
    """Why a fact goes to none of the sinks of a route that it matches."""

    reason: str

    def failure(self) -> Failure:
        return Failure(path=("to",), operator="in", expected=None, seen=None, explainer=self)

    def explain(self, _failure: Failure) -> str:
        return self.reason


def event_context(event: Event, source: Source) -> tuple[SupportsFields, Context]:
    """Return the view that conditions on an event read, and the context of its templates."""
    view, views = views_of(event, source.facts)
    return view, {**views, "timezone": source.timezone}
