"""What the store holds, as people read it: receipts and deliveries, read from the hashes that the scripts write."""

from collections.abc import Mapping, Sequence

import msgspec

from relay.model import Attempt, DeliveryState, Receipt, ReceiptState, Record, RoutedEvent
from relay.store.body import unpack
from relay.store.fields import DeliveryField, ReceiptField
from relay.store.gate import Gate
from relay.store.keys import sink_queue
from relay.store.packing import ReceiptRecords

# Fields of a receipt's hash that arrived with it, and whether its body is compressed.
RAW_FIELDS = (
    ReceiptField.SOURCE,
    ReceiptField.RECEIVED_AT,
    ReceiptField.CONTENT_TYPE,
    ReceiptField.CONTENT_ENCODING,
    ReceiptField.USER_AGENT,
    ReceiptField.REQUEST_ID,
    ReceiptField.COMPRESSED,
    ReceiptField.TRACE,
    ReceiptField.ORIGINAL,
)
_SUPERSEDED = "superseded by "  # so the scripts begin that reason
_ATTEMPT = msgspec.json.Decoder(Attempt)
_REMARKS = msgspec.json.Decoder(list[str])
_EVENT = msgspec.json.Decoder(tuple[str, str, str, ReceiptState, str])


class StoredReceipt(Record):
    """A receipt, and what became of it."""

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
    deliveries: dict[str, int]  # id -> index of its event in this receipt
    made_by: str = ""  # of the fact that a delivery arrived: that delivery
    put_off: Mapping[str, str] = {}  # of those: what is made when its sink has room, id -> sink
    recovered: bool = False  # amoCRM never delivered it: made from what the account remembers
    content_encoding: str = ""
    remarks: Sequence[str] = ()  # what of its body could not be read
    erased: Sequence[str] = ()  # indexes of the events that a person was taken out of; "": of the body that has none
    trace_id: str = ""  # of its trace, as collectors show it; empty where it is not traced


class StoredDelivery(Record):
    """A delivery, and its state now."""

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
    generation: int = 0  # how often its content was rendered anew
    needs_lookup: bool = False  # it waits for a look-up in the account, before it may be sent
    paused: str = ""  # why nothing leaves the queue in which it is pending until a person opens it
    disabled: bool = False  # that is because its subscription is disabled
    closed: str = ""  # why its queue's gate was closed after it was put there, and keeps it back
    paused_until: int | None = None  # when the pause ends by itself
    led_to: str | None = None  # the event that told of its arrival; empty: none was told, the chain is too long
    waits_for: str = ""  # the delivery of the same `order` key whose turn it is
    leased_until: int | None = None  # when another worker takes it up, if the one that has it dies

    @property
    def superseded_by(self) -> str:
        """Return the newer delivery of its `latest` key that it was cancelled for; "" where there is none."""
        is_superseded = self.state is DeliveryState.CANCELLED and self.reason.startswith(_SUPERSEDED)
        return self.reason.removeprefix(_SUPERSEDED) if is_superseded else ""


def read_raw_receipt(id: str, record: Sequence[bytes | None], body: bytes) -> Receipt:
    """Return a receipt as it arrived, from its `RAW_FIELDS` and its body."""
    source, at, content_type, content_encoding, user_agent, request_id, compressed, trace, original_id = (
        (value or b"").decode() for value in record
    )
    return Receipt(
        id=id,
        source=source,
        received_at=int(at),
        body=unpack(body) if compressed else body,
        content_type=content_type,
        content_encoding=content_encoding,
        user_agent=user_agent,
        request_id=request_id,
        trace=trace,
        original_id=original_id,
    )


def read_packed_receipt(records: ReceiptRecords) -> Receipt:
    """Return a packed receipt as it arrived."""
    fields = {name: value for name, value in records.fields.items() if name != ReceiptField.COMPRESSED.encode()}
    return read_raw_receipt(records.id, [fields.get(name.encode()) for name in RAW_FIELDS], records.body)


def receipt_of_content(id: str) -> str:
    """Return the receipt that a content belongs to."""
    return id.partition(":")[0]


def read_receipt(id: str, record: dict[bytes, bytes]) -> StoredReceipt:
    """Return a receipt from its whole hash."""
    text = _decode(record)
    events = [_event(int(index), packed) for index, packed in _named(text, ReceiptField.EVENT).items()]
    return StoredReceipt(
        id=id,
        source=text[ReceiptField.SOURCE],
        received_at=int(text[ReceiptField.RECEIVED_AT]),
        size=int(text[ReceiptField.SIZE]),
        state=ReceiptState(text[ReceiptField.STATE]),
        reason=text.get(ReceiptField.REASON, ""),
        content_type=text[ReceiptField.CONTENT_TYPE],
        user_agent=text[ReceiptField.USER_AGENT],
        request_id=text[ReceiptField.REQUEST_ID],
        recovered=ReceiptField.RECOVERED in text,
        content_encoding=text.get(ReceiptField.CONTENT_ENCODING, ""),
        remarks=_REMARKS.decode(text.get(ReceiptField.REMARKS, "[]")),
        config=text.get(ReceiptField.CONFIG, ""),
        duplicates=int(text.get(ReceiptField.DUPLICATES, 0)),
        last_duplicate_at=_number(text.get(ReceiptField.DUPLICATE_AT)),
        events=sorted(events, key=lambda event: event.index),
        deliveries={id: int(index) for id, index in _named(text, ReceiptField.DELIVERY).items()},
        put_off=_named(text, ReceiptField.PUT_OFF),
        made_by=text.get(ReceiptField.MADE_BY, ""),
        erased=sorted(_named(text, ReceiptField.ERASED)),
        trace_id=text.get(ReceiptField.TRACE, "").removeprefix("00-").partition("-")[0],
    )


def _decode(record: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in record.items()}


def _named(text: dict[str, str], prefix: str) -> dict[str, str]:
    """Return the fields that begin with a prefix, by what follows it."""
    return {name.removeprefix(prefix): value for name, value in text.items() if name.startswith(prefix)}


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _event(index: int, packed: str) -> RoutedEvent:
    name, entity, entity_id, state, reason = _EVENT.decode(packed)
    return RoutedEvent(index=index, name=name, entity=entity, entity_id=entity_id, state=state, reason=reason)


def queue_of(record: dict[bytes, bytes]) -> str:
    """Return the queue in which a pending delivery is: an account's while it waits for a look-up."""
    text = _decode(record)
    return text.get(DeliveryField.QUEUE) or sink_queue(text[DeliveryField.SINK])


def read_delivery(
    id: str, record: dict[bytes, bytes], due: float | None, leased: float | None, gate: Gate, waits_for: str
) -> StoredDelivery:
    """Return a delivery from its whole hash, its scores in the two sets of its queue, and the queue's gate.

    `waits_for`: the delivery of its `order` key whose turn it is, where that is another one.
    """
    text = _decode(record)
    return StoredDelivery(
        id=id,
        event_id=text[DeliveryField.EVENT],
        source=text[DeliveryField.SOURCE],
        route=text[DeliveryField.ROUTE],
        sink=text[DeliveryField.SINK],
        state=DeliveryState(text[DeliveryField.STATE]),
        reason=text.get(DeliveryField.REASON, ""),
        accepted_at=int(text[DeliveryField.ACCEPTED_AT]),
        created_at=int(text[DeliveryField.CREATED_AT]),
        finished_at=_number(text.get(DeliveryField.FINISHED_AT)),
        due_at=None if due is None else max(int(due), gate.until or 0),
        in_flight=leased is not None,
        needs_lookup=DeliveryField.QUEUE in text,
        paused=gate.describe_pause() if gate.paused and due is not None else "",
        disabled=gate.disabled and due is not None,
        closed=gate.reason if due is not None and (gate.until or 0) > due else "",
        paused_until=gate.paused_until if due is not None else None,
        led_to=_led_to(text.get(DeliveryField.LED)),
        waits_for=waits_for,
        leased_until=None if leased is None else int(leased),
        attempts=int(text[DeliveryField.ATTEMPTS]),
        deaths=int(text.get(DeliveryField.DEATHS, 0)),
        once=DeliveryField.ONCE in text,
        config=text[DeliveryField.CONFIG],
        content_id=text[DeliveryField.CONTENT],
        generation=int(text.get(DeliveryField.GENERATION, 0)),
    )


def _led_to(receipts: str | None) -> str | None:
    return f"{receipts.rpartition(' ')[2]}.0" if receipts else receipts


def read_attempt(entry: bytes) -> Attempt:
    """Return an attempt from an entry of a story: "times|outcome|json", the last one of so many in a row."""
    times, _, rest = entry.partition(b"|")
    attempt = _ATTEMPT.decode(rest.partition(b"|")[2])
    return msgspec.structs.replace(attempt, times=int(times))
