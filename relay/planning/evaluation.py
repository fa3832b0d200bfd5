"""Evaluate every route of a configuration for an event, for an explanation."""

from collections.abc import Iterator, Mapping, Sequence

from relay.config.config import Config, Source
from relay.events import names_of
from relay.model import Event, NewDelivery, Record
from relay.planning.content import ContentSink
from relay.planning.deliveries import RenderedTemplates, new_delivery, render_templates
from relay.planning.matching import event_context, match_failure, match_routes
from relay.routing import Failure, Route, RouteIndex


class RouteEvaluation(Record):
    """A route and an event: why they do not match, or the deliveries that the route makes."""

    route: Route
    failure: Failure | None
    deliveries: Sequence[NewDelivery] = ()
    rendered: Sequence[RenderedTemplates] = ()  # what each is made of


def evaluate_routes(
    event: Event, source: Source, config: Config, sinks: Mapping[str, ContentSink]
) -> Iterator[RouteEvaluation]:
    """Evaluate all routes in the file's order, those of other sources and events too."""
    names = names_of(event)
    view, _ = event_context(event, source)
    for route in config.routes:
        planned = match_routes(event, names, RouteIndex([route]), sinks, source)
        rendered = [render_templates(one) for one in planned]
        yield RouteEvaluation(
            route=route,
            failure=match_failure(route, event, names, view),
            deliveries=list(map(new_delivery, planned, rendered)),
            rendered=rendered,
        )
