"""Decide what of a receipt speaks of a person, and what is written in its place. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from relay.accounts.people_cache import cache_key
from relay.amocrm.content_encoding import is_compressed
from relay.facts.kinds import OWN_SOURCE
from relay.model import ERASURE, Event, Receipt, ReceiptState, Record
from relay.operations.people_events import PersonMatch, events_of_receipt
from relay.operations.people_raw import is_in_body
from relay.operations.people_redaction import ERASED, FORM, TextRedaction, redact_body, redact_fact, texts_in
from relay.store.erasing import DeliveryErasure, Erasure
from relay.store.fields import DeliveryField, ReceiptField
from relay.store.packing import DeliveryRecords, ReceiptRecords

_UNDECODED: Final = (ReceiptState.MALFORMED, ReceiptState.QUARANTINED)  # to decode one may kill a worker
_TEXTS: Final = (DeliveryField.REASON, DeliveryField.TOLD, DeliveryField.CANCEL)
_HEADERS: Final = (ReceiptField.CONTENT_TYPE, ReceiptField.USER_AGENT, ReceiptField.REQUEST_ID)
_WHOLE: Final = ""  # in place of an event's index: what of a body could not be read


class Speaking(Record):
    """What of a receipt speaks of a person: its events by index, and the deliveries because of them."""

    receipt: Receipt
    indexes: frozenset[str]
    events: Mapping[str, Event]  # those of the indexes that can be read
    deliveries: Mapping[str, DeliveryRecords]
    decodes: bool = True  # its body can be read
    superseded: bool = False  # a content does that was sent before another was rendered


def find_speaking(records: ReceiptRecords, receipt: Receipt, match: PersonMatch) -> Speaking | None:
    """Return what of a receipt speaks of a person; None where nothing does, or it has been erased.

    `receipt`: it as it arrived, a fact with the hook that it refers to.
    """
    erased = set(_named(records.fields, ReceiptField.ERASED))
    state = records.fields[ReceiptField.STATE.encode()].decode()
    events: dict[str, Event] = {}
    if state not in _UNDECODED:
        events = {str(event.index): event for event in events_of_receipt(receipt)}
    indexes = {index for index, event in events.items() if match.is_in_event(event)}
    indexes |= {_index_of(one) for one in _deliveries(records).values() if _speaks(records, one, match)}
    # Of one with remarks something was not read: it may be there that it speaks of them.
    was_not_read = not events or records.fields.get(ReceiptField.REMARKS.encode(), b"[]") != b"[]"
    if not indexes and was_not_read and is_in_body(receipt, match, inflates=state != ReceiptState.QUARANTINED):
        indexes.add(_WHOLE)
    indexes -= erased
    superseded = any(
        match.is_in_text(records.contents.get(id, b"").decode(errors="replace"))
        for id in _named(records.fields, ReceiptField.CONTENT)
    )
    if not indexes and not superseded:
        return None
    return Speaking(
        receipt=receipt,
        indexes=frozenset(indexes),
        events={index: event for index, event in events.items() if index in indexes},
        decodes=bool(events),
        deliveries={id: one for id, one in _deliveries(records).items() if _index_of(one) in indexes},
        superseded=superseded,
    )


def facts_of(speaking: Speaking) -> list[str]:
    """Return the facts that refer to what speaks of a person: receipts of the relay's own."""
    led = (one.fields.get(DeliveryField.LED.encode(), b"").decode() for one in speaking.deliveries.values())
    return [id for ids in led for id in ids.split()]


def is_unread(records: ReceiptRecords, receipt: Receipt) -> bool:
    """Return whether nobody can say whom a receipt speaks of: it killed its workers, and is not inflated again."""
    quarantined = records.fields[ReceiptField.STATE.encode()].decode() == ReceiptState.QUARANTINED
    return quarantined and is_compressed(receipt.body, receipt.content_encoding)


def make_erasure(records: ReceiptRecords, speaking: Speaking, match: PersonMatch) -> Erasure:
    """Return what is written in place of what speaks of a person."""
    if not speaking.indexes:
        return Erasure(records=records, indexes=[], contents=_contents(records, {}))
    texts = {text for one in speaking.deliveries.values() for text in _texts_of_content(records, one)}
    if speaking.receipt.source == OWN_SOURCE:
        body, fields = redact_fact(speaking.receipt.body, TextRedaction(match, texts)), {}
    elif not speaking.decodes:
        body, fields = ERASED.encode(), {ReceiptField.REASON: ERASED, ReceiptField.REMARKS: "[]"}
    else:
        redacted = redact_body(speaking.receipt, {int(one) for one in speaking.indexes - {_WHOLE}}, match)
        body, fields = redacted.body, {ReceiptField.CONTENT_TYPE: FORM}
        texts |= redacted.texts
    redaction = TextRedaction(match, texts)
    return Erasure(
        records=records,
        indexes=sorted(speaking.indexes),
        body=body,
        fields={**dict(_fields_of_receipt(records, redaction)), **fields},
        without=[ReceiptField.CONTENT_ENCODING],
        deliveries={id: erase_delivery(one, redaction) for id, one in speaking.deliveries.items()},
        contents=_contents(records, speaking.deliveries),
        shared=[cache_key(one.source, one.entity_id) for one in speaking.events.values() if one.entity == "lead"],
    )


def erase_asked(records: ReceiptRecords, ids: Mapping[str, object], match: PersonMatch) -> Erasure:
    """Return what takes the person out of deliveries that have asked their sinks to forget them."""
    asked = {id: one for id, one in records.deliveries.items() if id in ids}
    texts = {text for one in asked.values() for text in _texts_of_content(records, one)}
    redaction = TextRedaction(match, texts)
    return Erasure(
        records=records,
        indexes=[],
        deliveries={id: erase_delivery(one, redaction) for id, one in asked.items()},
        contents=_contents(records, asked),
    )


def erase_delivery(delivery: DeliveryRecords, redaction: TextRedaction) -> DeliveryErasure:
    """Return the texts of a delivery without a person; what was answered goes altogether."""
    found = {name: delivery.fields.get(name.encode()) for name in _TEXTS}
    texts = {name: text.decode(errors="replace") for name, text in found.items() if text is not None}
    return DeliveryErasure(
        fields={name: redaction.redact(text) for name, text in texts.items()},
        story=[_erase_attempt(entry, redaction) for entry in delivery.story],
    )


def _erase_attempt(entry: bytes, redaction: TextRedaction) -> bytes:
    times, outcome, written = entry.split(b"|", 2)
    attempt: dict[str, object] = msgspec.json.decode(written)
    for name in ("reason", "provider_id", "cost"):
        if isinstance(text := attempt.get(name), str):
            attempt[name] = redaction.redact(text)
    if attempt.get("response"):
        attempt["response"] = ERASED
    return b"|".join([times, outcome, msgspec.json.encode(attempt)])


def _fields_of_receipt(records: ReceiptRecords, redaction: TextRedaction) -> Iterator[tuple[str, str]]:
    """Yield those texts of a receipt's hash that have something of the person, without it."""
    fields = {name.decode(): value.decode(errors="replace") for name, value in records.fields.items()}
    for name in (ReceiptField.REASON, *_HEADERS):
        if redaction.redact(text := fields.get(name, "")) != text:
            yield name, ERASED
    remarks: list[str] = msgspec.json.decode(fields.get(ReceiptField.REMARKS, "[]"))
    if (redacted := [redaction.redact(one) for one in remarks]) != remarks:
        yield ReceiptField.REMARKS, msgspec.json.encode(redacted).decode()
    for name in fields:
        if name.startswith(ReceiptField.EVENT):
            *event, reason = msgspec.json.decode(fields[name], type=list[str])
            if redaction.redact(reason) != reason:
                yield name, msgspec.json.encode([*event, ERASED]).decode()


def _deliveries(records: ReceiptRecords) -> dict[str, DeliveryRecords]:
    """Return the deliveries of a receipt, but for those that ask a sink to forget somebody."""
    return {
        id: one
        for id, one in records.deliveries.items()
        if one.fields[DeliveryField.ROUTE.encode()] != ERASURE.encode()
    }


def _index_of(delivery: DeliveryRecords) -> str:
    return delivery.fields[DeliveryField.EVENT.encode()].decode().rpartition(".")[2]


def _content_of(records: ReceiptRecords, delivery: DeliveryRecords) -> tuple[str, bytes]:
    id = delivery.fields[DeliveryField.CONTENT.encode()].decode()
    return id, records.contents.get(id, b"")


def _speaks(records: ReceiptRecords, delivery: DeliveryRecords, match: PersonMatch) -> bool:
    texts = [_content_of(records, delivery)[1], *delivery.story]
    texts += [delivery.fields.get(name.encode(), b"") for name in _TEXTS]
    return any(match.is_in_text(one.decode(errors="replace")) for one in texts)


def _texts_of_content(records: ReceiptRecords, delivery: DeliveryRecords) -> Iterator[str]:
    """Yield the texts of what was sent: a content is JSON, in one line or more, or a text."""
    for line in _content_of(records, delivery)[1].splitlines():
        try:
            yield from texts_in(msgspec.json.decode(line))
        except msgspec.DecodeError:
            continue


def _contents(records: ReceiptRecords, erased: Mapping[str, DeliveryRecords]) -> list[str]:
    """Return the contents that are emptied: of erased deliveries, and of earlier ones, that no other one sends."""
    kept = {_content_of(records, one)[0] for id, one in records.deliveries.items() if id not in erased}
    removed = {_content_of(records, one)[0] for one in erased.values()}
    removed |= set(_named(records.fields, ReceiptField.CONTENT))
    return sorted(removed - kept)


def _named(fields: Mapping[bytes, bytes], prefix: str) -> Iterator[str]:
    return (name.decode().removeprefix(prefix) for name in fields if name.startswith(prefix.encode()))
