"""The spans of the look-ups that deliveries wait for."""

from collections.abc import Sequence

from relay.model import Delivery
from relay.tracing.tracer import Tracer


class LookupSpans:
    """A span for each delivery that is traced and waits for what an account knows."""

    def __init__(self, tracer: Tracer, deliveries: Sequence[Delivery]) -> None:
        traced = [one for one in deliveries if one.trace] if tracer.records else []
        self._spans = {one.id: tracer.start("look up", one.trace, "client") for one in traced}

    def end(self, delivery: Delivery, result: str, *, failed: bool) -> None:
        """End the span of a delivery by what came of its look-up."""
        if span := self._spans.pop(delivery.id, None):
            about = {"relay.source": delivery.source, "relay.route": delivery.route, "relay.delivery": delivery.id}
            span.end({**about, "relay.result": result}, failed=failed)

    def end_rest(self, deliveries: Sequence[Delivery]) -> None:
        """End those of which nothing was written: their leases bring them back."""
        for delivery in deliveries:
            self.end(delivery, "unwritten", failed=True)
