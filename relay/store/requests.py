"""Make the requests to scripts. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from relay.events import EVENT_ENTITIES
from relay.model import Breaker, CompletedLookup, Delivery, Limit, NewDelivery, RoutedReceipt
from relay.store.formats import FORMAT
from relay.store.keys import account_queue, sink_queue
from relay.store.records import Hook, Settlement
from relay.store.wire.claims import ClaimRequest, LeaseRow
from relay.store.wire.hooks import HookRow
from relay.store.wire.routing import DeliveryRow, RoutedRow
from relay.store.wire.settling import LookupRow, SettlementRow, SettleRequest

OTHER_EVENTS = "other"
"""Under this events are counted that amoCRM does not have: names come from bodies, and there may be any number."""


def hook_row(hook: Hook) -> HookRow:
    """Put a hook into a request, all but its body."""
    return HookRow(
        hook.id,
        hook.source,
        hook.digest,
        hook.timed,
        hook.request_id,
        hook.content_type,
        hook.user_agent,
        hook.recovered,
        hook.content_encoding,
        hook.trace,
    )


def sink_claim_request(
    sink: str,
    token: str,
    max: int,
    lease_ms: int,
    concurrency: int,
    limits: Sequence[Limit],
    batch: tuple[int, int] = (0, 0),
    unheard: Sequence[str] = (),
    *,
    ahead: int = 0,
    holds_ahead: bool = False,
    back: Sequence[Delivery] = (),
) -> ClaimRequest:
    """Return the request to claim of a sink. `batch` (n, m): from m due, up to n of them for one call, one grant.

    `ahead`: how many more may be claimed for slots that this worker frees. `back`: those that are not to begin.
    """
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
        unheard=unheard,
        ahead=ahead,
        holds_ahead=holds_ahead,
        back=lease_rows(back),
    )


def lease_rows(deliveries: Sequence[Delivery]) -> list[LeaseRow]:
    """Put into a request which deliveries are meant, and under which tokens they are held."""
    return [LeaseRow(id=delivery.id, token=delivery.token) for delivery in deliveries]


def claim_again(request: ClaimRequest) -> ClaimRequest:
    """Return the request that repeats a claim of which nobody knows whether it was carried out."""
    unheard = [*request.unheard, request.token]
    return msgspec.structs.replace(request, token=f"{request.token}+", unheard=unheard)


def settle_request(
    queue: str,
    counted: str,
    items: Sequence[Settlement],
    counts: Mapping[str, int],
    breaker: Breaker | None = None,
    *,
    begun: Sequence[Delivery] = (),
    in_vain: bool = False,
) -> SettleRequest:
    """Put what attempts came to into a request. `begun`: claimed ahead, and takes over a slot or is settled."""
    return SettleRequest(
        queue=queue,
        sink=counted,
        in_vain=in_vain,
        items=list(map(settlement_row, items)),
        counts=counts,
        begun=lease_rows(begun),
        breaker=breaker,
        followed=[item.delivery.id for item in items if item.is_followed],
    )


def settlement_row(item: Settlement) -> SettlementRow:
    """Put into a request what an attempt came to."""
    delivery, decision = item.delivery, item.decision
    return SettlementRow(
        delivery.id,
        delivery.token,
        item.outcome,
        decision.state,
        decision.reason,
        decision.delay_ms,
        decision.consumed,
        decision.gate_ms,
        delivery.route if decision.gate_scope == "route" else "",
        decision.gate_sure,
        decision.keeps_mark,
        item.counted,
        decision.asked_ms,
    )


def register_request(
    sources: Iterable[str] = (),
    sinks: Mapping[str, str] | None = None,
    max_pending: Mapping[str, int] | None = None,
    shares: Mapping[str, float] | None = None,
    facts: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Put what a configuration names into a request. `shares`, `facts` None: they stay as they are."""
    return {
        "sources": list(sources),
        "sinks": list((sinks or {}).items()),
        "max_pending": dict(max_pending or {}),
        "shares": False if shares is None else dict(shares),
        "facts": False if facts is None else dict(facts),
        "format": FORMAT,
    }


def routed_row(part: RoutedReceipt, blobs: list[bytes]) -> RoutedRow:
    """Put what became of a receipt into a request, its bodies and contents into `blobs`."""
    body, deliveries, source = 0, [], part.receipt.source
    if part.last and part.packed is not None:
        blobs.append(part.packed)
        body = len(blobs)
    for delivery in part.deliveries:
        blobs.append(delivery.content)
        deliveries.append(delivery_row(delivery, source, len(blobs)))
    return RoutedRow(
        part.receipt.id,
        part.last,
        part.state,
        part.reason,
        part.config,
        part.remarks,
        body,
        part.events,
        [event.name if event.name in EVENT_ENTITIES else OTHER_EVENTS for event in part.events],
        deliveries,
        part.receipt.trace,
    )


def delivery_row(delivery: NewDelivery, source: str, content: int) -> DeliveryRow:
    """Put a delivery into a request; `content` numbers its blob."""
    return DeliveryRow(
        delivery.id,
        delivery.event_id,
        delivery.sink,
        delivery.route,
        delivery.once,
        delivery.state,
        delivery.reason,
        content,
        account_queue(source) if delivery.needs_lookup else sink_queue(delivery.sink),
        f"{delivery.order}|{delivery.latest}" if delivery.order or delivery.latest else "",
    )


def lookup_row(item: CompletedLookup) -> LookupRow:
    """Put a completed look-up into a request, all but its content."""
    return LookupRow(id=item.delivery.id, token=item.delivery.token, state=item.state, reason=item.reason)
