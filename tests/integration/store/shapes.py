"""Make records as the ingress, the router and the drainer pass them to the store."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

import msgspec

from relay.model import (
    Attempt,
    Decision,
    DecisionKind,
    Delivery,
    DeliveryState,
    NewDelivery,
    Outcome,
    Receipt,
    ReceiptState,
    RoutedEvent,
    RoutedReceipt,
)
from relay.store.reader import Reader
from relay.store.records import Hook, Settlement
from relay.store.store import Store

DECIDED = {
    Outcome.DELIVERED: (DecisionKind.SETTLE, DeliveryState.DELIVERED),
    Outcome.SKIPPED: (DecisionKind.SETTLE, DeliveryState.SKIPPED),
    Outcome.RETRY: (DecisionKind.RETRY, DeliveryState.PENDING),
    Outcome.THROTTLED: (DecisionKind.WAIT, DeliveryState.PENDING),
    Outcome.BLOCKED: (DecisionKind.WAIT, DeliveryState.PENDING),
    Outcome.UNKNOWN: (DecisionKind.HOLD, DeliveryState.HELD),
    Outcome.REJECTED: (DecisionKind.DEAD, DeliveryState.DEAD),
}
BODY = b"leads[add][0][id]=1"


def hook(id: str, body: bytes = BODY, **more) -> Hook:
    """Make a hook without a change time."""
    fields = {"source": "acme", "timed": False, "request_id": "", "content_type": "application/x-www-form-urlencoded",
              "user_agent": "amoCRM/1.0"}  # fmt: skip
    return Hook(id=id, digest=blake2b(body, digest_size=16).hexdigest(), body=body, **{**fields, **more})


def event(index: int = 0, entity_id: str = "1") -> RoutedEvent:
    """Make an event that a route matched."""
    return RoutedEvent(
        index=index, name="add_lead", entity="lead", entity_id=entity_id, state=ReceiptState.ROUTED, reason=""
    )


def new(id: str, receipt: str, index: int = 0, **more) -> NewDelivery:
    """Make a delivery as routing does."""
    fields = {"route": "invoices", "sink": "books", "once": False, "content": b'{"amount": 1}'}
    return NewDelivery(id=id, event_id=f"{receipt}.{index}", **{**fields, **more})


def routed(receipt: Receipt, *deliveries: NewDelivery, events=None, **more) -> RoutedReceipt:
    """Make what became of a receipt."""
    fields = {"state": ReceiptState.ROUTED if deliveries else ReceiptState.UNROUTED, "reason": "", "config": "v1"}
    return RoutedReceipt(
        receipt=receipt, events=[event()] if events is None else events, deliveries=deliveries, **{**fields, **more}
    )


def attempt(outcome: Outcome, number: int = 1, reason: str = "so it was", **more) -> bytes:
    """Write an attempt as the drainer does."""
    fields = {"at": 1_790_000_000_000, "took_ms": 12, "decision": DECIDED[outcome][0]}
    return msgspec.json.encode(Attempt(number=number, outcome=outcome, reason=reason, **{**fields, **more}))


def settlement(delivery: Delivery, outcome: Outcome, number: int = 1, **decision) -> Settlement:
    """Make a settlement, decided as is usual for its outcome."""
    kind, state = DECIDED[outcome]
    consumed = outcome not in (Outcome.THROTTLED, Outcome.BLOCKED)
    fields = {"kind": kind, "state": state, "reason": "so it was", "consumed": consumed}
    return Settlement(
        delivery=delivery,
        outcome=outcome,
        decision=Decision(**{**fields, **decision}),
        attempt=attempt(outcome, number),
    )


async def give_back(store: Store, queue: str, kind: Literal["r", "d", "j"], ids: Sequence[str]) -> None:
    """Make what is in flight of a queue due again, without a token. `kind` is that of its records' keys."""
    seconds, microseconds = await store.client.time()
    now = seconds * 1000 + microseconds // 1000
    for id in ids:
        if await store.client.zrem(store.keys.leased(queue), id):
            await store.client.hdel(f"{store.keys.prefix}{kind}:{id}", "tok")
            await store.client.zadd(store.keys.due(queue), {id: now})
            await store.client.zadd(store.keys.wake, {queue: now}, lt=True)


async def end_leases(store: Store, queue: str) -> None:
    """Make all leases of a queue run out, as those of workers that died."""
    if ids := await store.client.zrange(store.keys.leased(queue), 0, -1):
        await store.client.zadd(store.keys.leased(queue), dict.fromkeys(ids, 1))
        await store.client.zadd(store.keys.wake, {queue: 1}, lt=True)


async def ids_in_queue(reader: Reader, sink: str) -> list[str]:
    """Return the ids of a sink's pending and held deliveries and its dead letters, oldest first in each."""
    keys = reader.keys
    sets = [keys.pending(sink), keys.held(sink), keys.dead(sink)]
    return [id.decode() for key in sets for id in await reader.client.zrange(key, 0, -1)]
