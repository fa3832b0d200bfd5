"""Explain a receipt: for each route whether it matches, or which condition fails on which value. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Self

import uuid_utils
from msgspec.structs import replace

from relay.config.config import Config
from relay.errors import Malformed, RelayError
from relay.events import decode_events
from relay.model import AnyJson, DeliveryState, Event, NewDelivery, Receipt, Record
from relay.operations.request_description import describe_by
from relay.planning import RenderedTemplates, RouteEvaluation, evaluate_routes, plan_receipt
from relay.sinks.base import Sink
from relay.sinks.registry import make_sinks

NOT_MADE: Final = "not made"
"""The state of a delivery whose `once` key is used already."""


class ExplainedDelivery(Record):
    """A delivery that a route would create, with the request that its sink would send."""

    sink: str
    id: str
    state: str
    reason: str
    request: AnyJson
    once: bool = False  # its id follows from its route's `once` key
    once_key: str | None = None
    order_key: str = ""  # the key of its route's `order`: it waits for those before it; empty: it has none
    latest_key: str = ""  # likewise of `latest`: of those that wait only the newest is sent
    leads_to: Sequence[str] = ()  # the routes that follow when it has arrived
    needs_lookup: bool = False  # its request is known when the account has been asked
    note: str = ""  # what is known of its `once` key


class RouteExplanation(Record):
    """Why a route does not match an event, or the deliveries that it would create."""

    route: str
    matched: bool
    because: str
    deliveries: Sequence[ExplainedDelivery]


class EventExplanation(Record):
    """An event, and the explanation of every route."""

    id: str
    index: int
    event: str
    entity: str
    entity_id: str
    state: str
    reason: str
    routes: Sequence[RouteExplanation]


class Explanation(Record):
    """What would become of a receipt."""

    source: str
    state: str
    reason: str
    config: str  # version of the configuration that it is explained by
    events: Sequence[EventExplanation]
    remarks: Sequence[str] = ()  # what of its body could not be read

    @property
    def deliveries(self) -> Iterator[ExplainedDelivery]:
        """All deliveries, in order."""
        return (delivery for event in self.events for route in event.routes for delivery in route.deliveries)

    def with_changed(self, change: Callable[[EventExplanation, ExplainedDelivery], ExplainedDelivery]) -> Self:
        """Return it with every delivery changed, in order."""

        def changed(event: EventExplanation, route: RouteExplanation) -> RouteExplanation:
            return replace(route, deliveries=[change(event, delivery) for delivery in route.deliveries])

        events = [replace(event, routes=[changed(event, route) for route in event.routes]) for event in self.events]
        return replace(self, events=events)


def receipt_from_body(body: bytes, source: str) -> Receipt:
    """Return a receipt of a body, as if it had just arrived."""
    id = uuid_utils.uuid7()
    return Receipt(id=str(id), source=source, received_at=id.timestamp, body=body)


def explain_receipt(receipt: Receipt, config: Config, index: str | None) -> Explanation:
    """Explain a receipt, or only its event of that index. Raises RelayError where it has no such event."""
    sinks = make_sinks(config)
    planned = plan_receipt(receipt, config, sinks)
    events = _decoded_events(receipt, config.ingress.max_body)
    explained = [
        EventExplanation(
            id=event.id,
            index=event.index,
            event=event.name,
            entity=event.entity,
            entity_id=event.entity_id,
            state=routed.state,
            reason=routed.reason,
            routes=_explain_routes(event, config, sinks),
        )
        for event, routed in zip(events, planned.events, strict=True)
        if index in (None, str(event.index))
    ]
    if index is not None and not explained:
        raise RelayError(f"receipt {receipt.id} has no event {index}: it has {len(events)}, counted from 0")
    return Explanation(
        source=receipt.source,
        state=planned.state,
        reason=planned.reason,
        config=config.version,
        events=explained,
        remarks=planned.remarks,
    )


def _decoded_events(receipt: Receipt, max_size: int) -> Sequence[Event]:
    try:
        return decode_events(receipt, max_size=max_size)[1]
    except Malformed:  # the plan has it as malformed, with the reason
        return ()


def _explain_routes(event: Event, config: Config, sinks: Mapping[str, Sink]) -> list[RouteExplanation]:
    source = config.find_source(event.source)
    if source is None:
        return []
    return [
        _explain_route(evaluation, sinks, config.followers)
        for evaluation in evaluate_routes(event, source, config, sinks)
    ]


def _explain_route(
    evaluation: RouteEvaluation, sinks: Mapping[str, Sink], followers: Mapping[str, Sequence[str]]
) -> RouteExplanation:
    return RouteExplanation(
        route=evaluation.route.name,
        matched=evaluation.failure is None,
        because=evaluation.failure.message if evaluation.failure else "",
        deliveries=[
            _explain_delivery(delivery, rendered, sinks, followers)
            for delivery, rendered in zip(evaluation.deliveries, evaluation.rendered, strict=True)
        ],
    )


def _explain_delivery(
    delivery: NewDelivery,
    rendered: RenderedTemplates,
    sinks: Mapping[str, Sink],
    followers: Mapping[str, Sequence[str]],
) -> ExplainedDelivery:
    return ExplainedDelivery(
        sink=delivery.sink,
        id=delivery.id,
        state=delivery.state,
        reason=delivery.reason,
        request=describe_by(sinks[delivery.sink], delivery.content) if delivery.content else None,
        once=delivery.once,
        once_key=rendered.once_key,
        order_key=rendered.order_key,
        latest_key=rendered.latest_key,
        leads_to=followers.get(delivery.route, ()),
        needs_lookup=delivery.needs_lookup and delivery.state is DeliveryState.PENDING,
    )
