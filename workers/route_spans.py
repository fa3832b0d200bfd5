"""The spans of what the router makes of receipts."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from relay.model import Receipt, ReceiptState, RoutedReceipt
from relay.tracing.tracer import Tracer


class RouteSpans:
    """A span for each receipt that is traced. `receipts`: the same, whose deliveries go on from their routing."""

    def __init__(self, tracer: Tracer, receipts: Sequence[Receipt]) -> None:
        traced = [one for one in receipts if one.trace] if tracer.records else []
        self._spans = {one.id: tracer.start("route", one.trace, "internal") for one in traced}
        self.receipts = [self._go_on(one) for one in receipts] if traced else receipts

    def _go_on(self, receipt: Receipt) -> Receipt:
        span = self._spans.get(receipt.id)
        return receipt if span is None else replace(receipt, trace=span.trace)

    def end(self, routed: Iterable[RoutedReceipt]) -> None:
        """End the spans of receipts by what became of them."""
        for one in routed:
            if span := self._spans.pop(one.receipt.id, None):
                about = {"relay.receipt": one.receipt.id, "relay.source": one.receipt.source}
                made = {"relay.events": len(one.events), "relay.deliveries": len(one.deliveries)}
                failed = one.state is ReceiptState.QUARANTINED
                span.end({**about, **made, "relay.state": one.state.value}, failed=failed)

    def end_rest(self) -> None:
        """End those of which nothing was written: their leases bring them back."""
        for id, span in self._spans.items():
            span.end({"relay.receipt": id, "relay.state": ReceiptState.ACCEPTED.value}, failed=True)
        self._spans.clear()
