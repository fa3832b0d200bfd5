"""Make the requests to scripts. Pure."""

from collections.abc import Mapping, Sequence

from relay.model import CompletedLookup, Limit, NewDelivery, Receipt, RoutedReceipt
from relay.store.keys import account_queue, sink_queue
from relay.store.records import Hook, Settlement
from relay.store.wire import ClaimRequest, DeliveryRow, HookRow, LookupRow, RoutedRow, SettlementRow, SettleRequest


def hook_row(hook: Hook) -> HookRow:
    """Put a hook into a request, all but its body."""
    return HookRow(
        id=hook.id,
        source=hook.source,
        digest=hook.digest,
        timed=hook.timed,
        request_id=hook.request_id,
        content_type=hook.content_type,
        user_agent=hook.user_agent,
        recovered=hook.recovered,
    )


def sink_claim_request(
    sink: str,
    token: str,
    max: int,
    lease_ms: int,
    concurrency: int,
    limits: Sequence[Limit],
    batch: tuple[int, int] = (0, 0),
) -> ClaimRequest:
    """Return the request to claim of a sink. `batch` (n, m): from m due, up to n of them for one call, one grant."""
    at_once, batch_from = batch
    return ClaimRequest(
        queue=sink_queue(sink),
        kind="d",
        token=token,
        max=max,
        lease_ms=lease_ms,
        concurrency=concurrency,
        limits=limits,
        batch=at_once,
        batch_from=batch_from,
    )


def settle_request(queue: str, counted: str, items: Sequence[Settlement], counts: Mapping[str, int]) -> SettleRequest:
    """Put what attempts came to into a request."""
    return SettleRequest(queue=queue, sink=counted, items=list(map(_settlement_row, items)), counts=counts)


def _settlement_row(item: Settlement) -> SettlementRow:
    decision = item.decision
    return SettlementRow(
        id=item.delivery.id,
        token=item.delivery.token,
        outcome=item.outcome,
        state=decision.state,
        reason=decision.reason,
        delay_ms=decision.delay_ms,
        consumed=decision.consumed,
        gate_ms=decision.gate_ms,
        gate_route=item.delivery.route if decision.gate_scope == "route" else "",
        keeps_mark=decision.keeps_mark,
    )


def routed_row(part: RoutedReceipt, blobs: list[bytes]) -> RoutedRow:
    """Put what became of a receipt into a request, its bodies and contents into `blobs`."""
    body = _number_blob(part.packed, blobs) if part.last and part.packed is not None else 0
    return RoutedRow(
        id=part.receipt.id,
        last=part.last,
        state=part.state,
        reason=part.reason,
        config=part.config,
        body=body,
        events=part.events,
        deliveries=[_delivery_row(part.receipt, one, _number_blob(one.content, blobs)) for one in part.deliveries],
    )


def _number_blob(blob: bytes, blobs: list[bytes]) -> int:
    blobs.append(blob)
    return len(blobs)


def _delivery_row(receipt: Receipt, delivery: NewDelivery, content: int) -> DeliveryRow:
    return DeliveryRow(
        id=delivery.id,
        event_id=delivery.event_id,
        sink=delivery.sink,
        route=delivery.route,
        once=delivery.once,
        state=delivery.state,
        reason=delivery.reason,
        content=content,
        queue=account_queue(receipt.source) if delivery.needs_lookup else sink_queue(delivery.sink),
    )


def lookup_row(item: CompletedLookup) -> LookupRow:
    """Put a completed look-up into a request, all but its content."""
    return LookupRow(id=item.delivery.id, token=item.delivery.token, state=item.state, reason=item.reason)
