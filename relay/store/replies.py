"""Read the replies to claims, and what the store hands over. Pure."""

from collections.abc import Sequence

import msgspec

from relay.model import Delivery, DeliveryState, NewDelivery, Receipt, RoutedReceipt
from relay.store.body import unpack
from relay.store.records import Claim, Handed, Job
from relay.store.wire.claims import NEVER_WRITTEN, ClaimedDelivery, ClaimedJob, ClaimedReceipt, ClaimReply, ClaimRequest
from relay.store.wire.hooks import HandedOver, HookRow
from relay.store.wire.routing import RoutedReply

_HANDED_OVER = msgspec.msgpack.Decoder(HandedOver)


def claimed_receipts(
    reply: ClaimReply[ClaimedReceipt], token: str, blobs: Sequence[bytes], subscriptions_version: int
) -> Claim[Receipt]:
    """Read what was taken of the inbox; the blobs are the bodies."""
    items = [
        Receipt(
            id=id,
            source=row.source,
            received_at=row.received_at,
            body=unpack(body) if row.compressed else body,
            content_type=row.content_type,
            content_encoding=_written(row.content_encoding),
            user_agent=row.user_agent,
            request_id=row.request_id,
            deaths=row.deaths,
            trace=_written(row.trace),
            original_id=_written(row.original_id),
        )
        for id, row, body in zip(reply.ids, reply.rows, blobs, strict=True)
    ]
    return Claim(
        token=token,
        items=items,
        poisoned=reply.poisoned,
        wait_ms=reply.wait_ms,
        subscriptions_version=subscriptions_version,
    )


def read_handed(message: bytes) -> Handed:
    """Read what the store hands over: the size of what it says of receipts, that itself, and their bodies."""
    at = 4 + int.from_bytes(message[:4], "big")
    about = _HANDED_OVER.decode(message[4:at])
    receipts = []
    for hook, size in zip(about.hooks, about.sizes, strict=True):
        receipts.append(_handed_receipt(hook, about.store_ms, message[at : at + size]))
        at += size
    return Handed(receipts=receipts, subscriptions_version=about.subscriptions_version, store_ms=about.store_ms)


def _handed_receipt(hook: HookRow, store_ms: int, body: bytes) -> Receipt:
    return Receipt(
        id=hook.id,
        source=hook.source,
        received_at=store_ms,
        body=body,
        content_type=hook.content_type,
        content_encoding=hook.content_encoding,
        user_agent=hook.user_agent,
        request_id=hook.request_id,
        trace=hook.trace,
    )


def _written(text: str) -> str:
    """Return a text of a record; empty where it was never written."""
    return "" if text == NEVER_WRITTEN else text


def claimed_deliveries(reply: ClaimReply[ClaimedDelivery], token: str, blobs: Sequence[bytes]) -> Claim[Delivery]:
    """Read what was taken of a queue of deliveries; the blobs are their contents."""
    items = [
        Delivery(
            id=id,
            event_id=row.event_id,
            source=row.source,
            route=row.route,
            sink=row.sink,
            content=content,
            accepted_at=row.accepted_at,
            created_at=row.created_at,
            attempts=row.attempts,
            deaths=row.deaths,
            token=token,
            sending=row.sent_at > 0,
            sent_at=row.sent_at or None,
            sends=row.sends,
            at_fault=row.at_fault,
            generation=row.generation,
            trial=row.trial,
            trace=_written(row.trace),
        )
        for id, row, content in zip(reply.ids, reply.rows, blobs, strict=True)
    ]
    return Claim(
        token=token,
        items=items,
        poisoned=reply.poisoned,
        wait_ms=reply.wait_ms,
        batched=reply.batched,
        ahead=reply.ahead,
        recalled=reply.recalled,
    )


def claimed_jobs(reply: ClaimReply[ClaimedJob], token: str) -> Claim[Job]:
    """Read what was taken of the jobs."""
    jobs = [
        Job(id=id, kind=row.kind, args=row.args.encode(), token=token)
        for id, row in zip(reply.ids, reply.rows, strict=True)
    ]
    return Claim(token=token, items=jobs, poisoned=reply.poisoned, wait_ms=reply.wait_ms)


def made_claims(
    reply: RoutedReply, requests: Sequence[ClaimRequest], parts: Sequence[RoutedReceipt]
) -> list[Claim[Delivery]]:
    """Read what was taken of the deliveries that the call made: what they hold is known here."""
    made: dict[str, tuple[NewDelivery, Receipt]] = {}
    for part in parts:
        for delivery in part.deliveries:
            if delivery.state is DeliveryState.PENDING:
                made.setdefault(delivery.id, (delivery, part.receipt))  # under `once` the store has the first of two
    return [
        Claim(
            token=request.token,
            items=[_made_delivery(*made[id], request.token, reply.store_ms) for id in ids],
            poisoned=[],
            wait_ms=-1,
        )
        for request, ids in zip(requests, reply.claimed, strict=True)
    ]


def _made_delivery(new: NewDelivery, receipt: Receipt, token: str, store_ms: int) -> Delivery:
    return Delivery(
        id=new.id,
        event_id=new.event_id,
        source=receipt.source,
        route=new.route,
        sink=new.sink,
        content=new.content,
        accepted_at=receipt.received_at,
        created_at=store_ms,
        attempts=0,
        deaths=0,
        token=token,
        sending=False,
        trace=receipt.trace,
    )
