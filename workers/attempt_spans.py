"""The spans of the attempts that one call makes."""

from collections.abc import Sequence

from msgspec.structs import replace

from relay.model import Attempt, Delivery, Outcome
from relay.sinks.base import Sink
from relay.tracing.tracer import Tracer

_WELL = (Outcome.DELIVERED, Outcome.SKIPPED, Outcome.THROTTLED)


class AttemptSpans:
    """A span for each delivery that is traced. `deliveries`: the same, whose traces go on from their attempts."""

    def __init__(self, tracer: Tracer, deliveries: Sequence[Delivery], sink: Sink) -> None:
        self._sink = sink
        traced = [one for one in deliveries if one.trace]
        self._spans = {one.id: tracer.start("attempt", one.trace, "client") for one in traced}
        self.deliveries = [self._go_on(one) for one in deliveries] if traced else deliveries

    def _go_on(self, delivery: Delivery) -> Delivery:
        span = self._spans.get(delivery.id)
        return delivery if span is None else replace(delivery, trace=span.trace)

    def end(self, delivery: Delivery, attempt: Attempt) -> None:
        """End the span of a delivery by what came of its attempt."""
        if (span := self._spans.pop(delivery.id, None)) is None:
            return
        known = {"relay.outcome": attempt.outcome.value, "relay.decision": attempt.decision.value}
        status = {} if attempt.status is None else {"http.response.status_code": attempt.status}
        attributes = {**self._about(delivery), "relay.attempt": attempt.number, **known, **status}
        span.end(attributes, failed=attempt.outcome not in _WELL)

    def end_rest(self, deliveries: Sequence[Delivery]) -> None:
        """End those of which nothing came: their leases were lost before anything was sent."""
        for delivery in deliveries:
            if span := self._spans.pop(delivery.id, None):
                span.end({**self._about(delivery), "relay.outcome": "lost_lease"}, failed=True)

    def _about(self, delivery: Delivery) -> dict[str, str | int | bool]:
        return {
            "relay.sink": self._sink.name,
            "relay.sink.type": self._sink.type,
            "relay.route": delivery.route,
            "relay.source": delivery.source,
            "relay.delivery": delivery.id,
            "relay.event": delivery.event_id,
        }
