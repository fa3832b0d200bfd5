"""Complete an explanation by what a look-up found: the requests of routes with `fetch`. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from relay.amocrm.people import People
from relay.config.config import Config
from relay.model import Delivery, Receipt
from relay.operations.explanation import EventExplanation, ExplainedDelivery, Explanation
from relay.operations.request_description import describe_by
from relay.planning.lookups import PendingLookup, complete_lookup, pending_lookups
from relay.sinks.base import Sink
from relay.sinks.registry import make_sinks


def answer_lookups(explanation: Explanation, receipt: Receipt, config: Config, people: People | None) -> Explanation:
    """Return the explanation as if the account answered this of every lead. None: it has no such lead."""
    sinks = make_sinks(config)
    return complete_requests(explanation, lookups_of(explanation, receipt, config, sinks), lambda _: people, sinks)


def lookups_of(
    explanation: Explanation, receipt: Receipt, config: Config, sinks: Mapping[str, Sink]
) -> list[PendingLookup]:
    """Return the look-ups that the deliveries of an explanation wait for. `sinks` are those of the configuration."""
    return pending_lookups(list(_waiting(explanation, receipt)), {receipt.id: receipt}, config, sinks)[0]


def complete_requests(
    explanation: Explanation,
    pending: Sequence[PendingLookup],
    find: Callable[[str], People | None],
    sinks: Mapping[str, Sink],
) -> Explanation:
    """Return the explanation with the requests that look-ups make; `find` returns what was found of a lead."""
    completed = {one.delivery.id: complete_lookup(one, find(one.lead)) for one in pending}

    def complete(_: EventExplanation, delivery: ExplainedDelivery) -> ExplainedDelivery:
        if not delivery.needs_lookup or delivery.id not in completed:
            return delivery
        found = completed[delivery.id]
        request = describe_by(sinks[delivery.sink], found.content) if found.content else None
        return replace(delivery, state=found.state, reason=found.reason or "after the look-up", request=request)

    return explanation.with_changed(complete)


def _waiting(explanation: Explanation, receipt: Receipt) -> Iterator[Delivery]:
    """Yield the deliveries that wait for a look-up, as a worker would hold them."""
    for event in explanation.events:
        for route in event.routes:
            for delivery in route.deliveries:
                if delivery.needs_lookup:
                    yield Delivery(
                        id=delivery.id, event_id=event.id, source=receipt.source, route=route.route, sink=delivery.sink,
                        content=b"", accepted_at=receipt.received_at, created_at=receipt.received_at, attempts=0,
                        deaths=0, token="", sending=False,
                    )  # fmt: skip
