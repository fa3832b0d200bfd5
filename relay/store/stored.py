"""What the store keeps, as people read it: receipts, deliveries, sinks; made from the records the scripts write."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from relay.model import Attempt, DeliveryState, Receipt, ReceiptState, Record, RoutedEvent
from relay.store.body import unpack
from relay.store.keys import sink_queue

RAW_FIELDS = ("src", "at", "ct", "ua", "rq")  # fields of a receipt's record that arrived with it
_ATTEMPT = msgspec.json.Decoder(Attempt)
_EVENT = msgspec.json.Decoder(tuple[str, str, str, ReceiptState, str])


class StoredReceipt(Record):
    """A receipt with what became of it."""

    id: str
    source: str
    received_at: int
    size: int
    state: ReceiptState
    reason: str
    content_type: str
    user_agent: str
    request_id: str
    config: str
    duplicates: int
    last_duplicate_at: int | None
    events: Sequence[RoutedEvent]
    deliveries: dict[str, int]  # id -> index of the event that it is of, here
    recovered: bool = False  # amoCRM never delivered it: made from what the account remembers


class StoredDelivery(Record):
    """A delivery as it stands."""

    id: str
    event_id: str
    source: str
    route: str
    sink: str
    state: DeliveryState
    reason: str
    accepted_at: int
    created_at: int
    finished_at: int | None
    due_at: int | None  # when it may next be taken; None where it is in flight or finished
    in_flight: bool
    attempts: int
    deaths: int
    once: bool
    config: str
    content_id: str


@dataclass
class SinkState:
    """How a sink's queue stands."""

    name: str
    type: str
    waiting: int = 0
    in_flight: int = 0
    held: int = 0
    dead: int = 0
    oldest_due_ms: int | None = None  # how long the oldest has been due
    gate: dict[str, str] = field(default_factory=dict)


def read_raw_receipt(id: str, record: Sequence[bytes | None], body: bytes) -> Receipt:
    """Return a receipt as it arrived, from the fields RAW, whether its body is packed, and its body."""
    source, at, content_type, user_agent, request_id = ((value or b"").decode() for value in record[: len(RAW_FIELDS)])
    return Receipt(
        id=id, source=source, received_at=int(at), body=unpack(body) if record[-1] else body,
        content_type=content_type, user_agent=user_agent, request_id=request_id,
    )  # fmt: skip


def read_receipt(id: str, record: dict[bytes, bytes]) -> StoredReceipt:
    """Return a receipt with what became of it, from its whole record."""
    text = {name.decode(): value.decode() for name, value in record.items()}
    events = [_event(int(name[2:]), value) for name, value in text.items() if name.startswith("e:")]
    return StoredReceipt(
        id=id,
        source=text["src"],
        received_at=int(text["at"]),
        size=int(text["size"]),
        state=ReceiptState(text["state"]),
        reason=text.get("reason", ""),
        content_type=text["ct"],
        user_agent=text["ua"],
        request_id=text["rq"],
        recovered="rec" in text,
        config=text.get("cfg", ""),
        duplicates=int(text.get("dups", 0)),
        last_duplicate_at=int(text["dup_at"]) if "dup_at" in text else None,
        events=sorted(events, key=lambda event: event.index),
        deliveries={name[2:]: int(value) for name, value in text.items() if name.startswith("d:")},
    )


def _event(index: int, packed: str) -> RoutedEvent:
    name, entity, entity_id, state, reason = _EVENT.decode(packed)
    return RoutedEvent(index=index, name=name, entity=entity, entity_id=entity_id, state=state, reason=reason)


def queue_of(record: dict[bytes, bytes]) -> str:
    """Return the queue in which a pending delivery is: an account's while it waits for a look-up."""
    return record[b"q"].decode() if b"q" in record else sink_queue(record[b"sink"].decode())


def read_delivery(id: str, record: dict[bytes, bytes], due: float | None, leased: float | None) -> StoredDelivery:
    """Return a delivery from its whole record and its places in its queue."""
    text = {name.decode(): value.decode() for name, value in record.items()}
    return StoredDelivery(
        id=id,
        event_id=text["ev"],
        source=text["src"],
        route=text["route"],
        sink=text["sink"],
        state=DeliveryState(text["state"]),
        reason=text.get("reason", ""),
        accepted_at=int(text["acc"]),
        created_at=int(text["at"]),
        finished_at=int(text["done"]) if "done" in text else None,
        due_at=None if due is None else int(due),
        in_flight=leased is not None,
        attempts=int(text["att"]),
        deaths=int(text.get("died", 0)),
        once="once" in text,
        config=text["cfg"],
        content_id=text["c"],
    )


def read_attempt(entry: bytes) -> Attempt:
    """Return an attempt from an entry of a story: how many in a row ended so, the outcome, the last of them."""
    times, _, rest = entry.partition(b"|")
    attempt = _ATTEMPT.decode(rest.partition(b"|")[2])
    return msgspec.structs.replace(attempt, times=int(times))


def read_sink_state(name: str, kind: str, found: Sequence[Any], now: int) -> SinkState:
    """Return how a sink stands, from its counts, its oldest delivery and its gate."""
    waiting, in_flight, held, dead, oldest, gate = found
    return SinkState(
        name=name,
        type=kind,
        waiting=waiting,
        in_flight=in_flight,
        held=held,
        dead=dead,
        oldest_due_ms=max(now - int(oldest[0][1]), 0) if oldest else None,
        gate={field.decode(): value.decode() for field, value in gate.items()},
    )
