"""What the scripts are asked, and how their answers read. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal

from relay.model import Delivery, Limit, Receipt, Record, RoutedReceipt
from relay.store.body import unpack
from relay.store.keys import account_queue, sink_queue
from relay.store.records import Claim, Hook, Settlement


class ClaimRequest(Record):
    """What a claim is to take, as its script has it."""

    queue: str
    kind: Literal["r", "d", "j"]
    token: str
    max: int
    lease_ms: int
    concurrency: int = 0
    limits: Sequence[Limit] = ()
    batch: int = 0
    batch_from: int = 0


class ClaimReply(Record, array_like=True):
    """What a claim took, as its script tells it: ids, and the fields of each. The blobs stand beside it."""

    wait_ms: int
    poisoned: list[str]
    ids: list[str]
    records: list[list[str]]
    batched: bool


def hook_row(hook: Hook) -> tuple[object, ...]:
    """Put a hook into a request, all but its body."""
    return (
        hook.id,
        hook.source,
        hook.digest,
        hook.timed,
        hook.request_id,
        hook.content_type,
        hook.user_agent,
        hook.recovered,
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
    """Return what is wanted of a sink. `batch` (n, m): from m due, up to n of them for one call, under one grant."""
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


def claimed_receipts(claimed: ClaimReply, token: str, blobs: Sequence[bytes]) -> Claim[Receipt]:
    """Read what was taken of the inbox."""
    items = [
        Receipt(id=id, deaths=int(r[0] or 0), source=r[1], received_at=int(r[2]), content_type=r[3], user_agent=r[4],
                request_id=r[5], body=unpack(blob) if r[6] else blob)
        for id, r, blob in zip(claimed.ids, claimed.records, blobs, strict=True)
    ]  # fmt: skip
    return Claim(token=token, items=items, poisoned=claimed.poisoned, wait_ms=claimed.wait_ms)


def claimed_deliveries(claimed: ClaimReply, token: str, blobs: Sequence[bytes]) -> Claim[Delivery]:
    """Read what was taken of a queue of deliveries."""
    items = [
        Delivery(id=id, deaths=int(r[0] or 0), event_id=r[1], source=r[2], route=r[3], accepted_at=int(r[4]),
                 created_at=int(r[5]), attempts=int(r[6]), sending=bool(r[7]), sent_at=int(r[7]) if r[7] else None,
                 sends=int(r[9] or 0), sink=r[10], content=blob, token=token)
        for id, r, blob in zip(claimed.ids, claimed.records, blobs, strict=True)
    ]  # fmt: skip
    return Claim(token=token, items=items, poisoned=claimed.poisoned, wait_ms=claimed.wait_ms, batched=claimed.batched)


def settle_request(
    queue: str, counted: str, items: Sequence[Settlement], counts: Mapping[str, int]
) -> dict[str, object]:
    """Put what attempts came to into a request."""
    return {"queue": queue, "sink": counted, "items": list(map(_settlement, items)), "counts": list(counts.items())}


def route_request(part: RoutedReceipt, blobs: list[bytes]) -> dict[str, object]:
    """Put what a script needs of a part into a request, its bodies into `blobs`."""
    body = 0
    if part.last and part.packed is not None:
        blobs.append(part.packed)
        body = len(blobs)
    deliveries = []
    for d in part.deliveries:
        blobs.append(d.content)
        queue = account_queue(part.receipt.source) if d.needs_lookup else sink_queue(d.sink)
        deliveries.append((d.id, d.event_id, d.sink, d.route, d.once, d.state, d.reason, len(blobs), queue))
    return {
        "id": part.receipt.id,
        "last": part.last,
        "state": part.state,
        "reason": part.reason,
        "config": part.config,
        "body": body,
        "events": part.events,
        "deliveries": deliveries,
    }


def _settlement(item: Settlement) -> tuple[object, ...]:
    decision = item.decision
    route = item.delivery.route if decision.gate_scope == "route" else ""
    return (
        item.delivery.id,
        item.delivery.token,
        item.outcome,
        decision.state,
        decision.reason,
        decision.delay_ms,
        decision.consumed,
        decision.gate_ms,
        route,
        decision.keeps_mark,
    )
