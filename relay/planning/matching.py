"""Match an event against routes: which sinks it goes to, or why a route does not match."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from relay.amocrm.views import event_views, main_view
from relay.model import Event, Record
from relay.planning.content import ContentSink
from relay.routing import Failure, Route, check_route


class PlannedDelivery(Record):
    """A delivery to render: an event, a route that it matches, one of the route's sinks."""

    event: Event
    route: Route
    sink: ContentSink
    context: Mapping[str, object]  # what templates see


class RouteMatch(Record):
    """What matching an event against a route came to: why it failed, or what to deliver."""

    route: Route
    failure: Failure | None
    planned: Sequence[PlannedDelivery] = ()


def match_routes(
    event: Event, names: frozenset[str], routes: Iterable[Route], sinks: Mapping[str, ContentSink], timezone: str
) -> Iterator[RouteMatch]:
    """Match an event against each route, in their order. `names` are its `routable_names`."""
    views = event_views(event)
    view = views[main_view(event.name)]
    context = {**views, "timezone": timezone}
    for route in routes:
        failure = check_route(route, event, names, view)
        if failure is not None:
            yield RouteMatch(route=route, failure=failure)
            continue
        planned = [PlannedDelivery(event=event, route=route, sink=sinks[name], context=context) for name in route.sinks]
        yield RouteMatch(route=route, failure=None, planned=planned)
