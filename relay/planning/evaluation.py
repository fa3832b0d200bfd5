"""Evaluate every route of a configuration for an event, for an explanation."""

from collections.abc import Iterator, Mapping, Sequence

from relay.amocrm.event_names import routable_names
from relay.config.config import Config, Source
from relay.model import Event, NewDelivery, Record
from relay.planning.content import ContentSink
from relay.planning.deliveries import new_delivery, render_templates
from relay.planning.matching import match_routes
from relay.routing import Failure, Route


class RouteEvaluation(Record):
    """A route and an event: why they do not match, or the deliveries that the route makes."""

    route: Route
    failure: Failure | None
    deliveries: Sequence[NewDelivery] = ()


def evaluate_routes(
    event: Event, source: Source, config: Config, sinks: Mapping[str, ContentSink]
) -> Iterator[RouteEvaluation]:
    """Evaluate all routes in the file's order, those of other sources and events too."""
    for match in match_routes(event, routable_names(event), config.routes, sinks, source.timezone):
        deliveries = [new_delivery(planned, render_templates(planned)) for planned in match.planned]
        yield RouteEvaluation(route=match.route, failure=match.failure, deliveries=deliveries)
