"""Pack a finished receipt, with all that belongs to it, into one value. Pure.

The value is "1|n|m|", an index of n bytes (`PackedIndex` as msgpack), m bytes of people (a msgpack list of "hash:index
of the event", as the receipt's fields name them), and the records, compressed. Lists and retention read the index, and
the index of people writes the second part, in the scripts (`_packed.lua`); only `unpack` reads the rest.
"""

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from relay.model import DeliveryState, Record
from relay.store import body
from relay.store.fields import DeliveryField, ReceiptField
from relay.store.packing_words import WORDS

MOST_PARTS: Final = 100  # events, deliveries and people; what has more stays as it is: one call moves all of a receipt
MOST_STORY: Final = 100  # attempts
MOST_BYTES: Final = 1 << 18
_HEAD: Final = re.compile(rb"1\|(\d+)\|(\d+)\|")
_FINAL: Final = frozenset({DeliveryState.DELIVERED, DeliveryState.SKIPPED, DeliveryState.CANCELLED})
_LEVEL: Final = 6
_WINDOW_BITS: Final = -15  # 32 KB, so that the words are in reach; no header, because the key says what it is
_SEPARATOR: Final = b"\0"
_EVENT = msgspec.json.Decoder(tuple[str, str, str, str, str])

Fields: TypeAlias = dict[bytes, bytes]
"""A hash as the store returns it."""


class DeliveryRecords(Record):
    """A delivery's hash, and the entries of its story."""

    fields: Fields
    story: Sequence[bytes]


class ReceiptRecords(Record):
    """All records of a receipt: its hash, its body as it arrived, the deliveries that it made, and contents by id."""

    id: str
    fields: Fields
    body: bytes
    deliveries: Mapping[str, DeliveryRecords]
    contents: Mapping[str, bytes]


class PackedDelivery(Record, array_like=True, kw_only=False):
    """What lists read of a packed delivery."""

    index: int  # of the event under which the receipt lists it
    id: str
    own_index: int  # of its own event: those of one `once` key are one delivery
    sink: str
    route: str
    state: str
    reason: str
    led: str = ""  # the facts that it led to, as in its hash: retention keeps the receipt while one of them is there


class PackedIndex(Record, array_like=True, kw_only=False):
    """What lists and retention read of a packed receipt."""

    source: str
    accepted_at: int
    size: int
    state: str
    reason: str
    recovered: bool
    events: Sequence[tuple[str, str, str, str, str]]  # as in the hash: name, entity, entity id, state, reason
    deliveries: Sequence[PackedDelivery]
    others: Sequence[tuple[int, str]]  # deliveries of other receipts that an event refers to: its index, the id


class _Body(Record, array_like=True, kw_only=False):
    """What is compressed. A hash is one text, names and values in turn."""

    fields: bytes
    body: bytes
    deliveries: Sequence[tuple[str, bytes, Sequence[bytes]]]
    contents: Sequence[tuple[str, bytes]]  # by what their ids have behind the receipt's


_INDEX = msgspec.msgpack.Decoder(PackedIndex)
_PEOPLE = msgspec.msgpack.Decoder(list[str])
_RECORDS = msgspec.msgpack.Decoder(_Body)


def made_deliveries(receipt: str, deliveries: Mapping[str, Fields]) -> dict[str, Fields]:
    """Return of the deliveries that a receipt lists those that it made: others it only refers to."""
    return {
        id: fields
        for id, fields in deliveries.items()
        if fields.get(_name(DeliveryField.EVENT), b"").partition(b".")[0] == receipt.encode()
    }


def may_be_packed(records: ReceiptRecords) -> bool:
    """Return whether nothing of a receipt is open or may be taken over by a later event, and all of it is small."""
    fields, deliveries = records.fields, records.deliveries.values()
    hashes = [fields, *(one.fields for one in deliveries)]
    parts = sum(name.startswith((b"e:", b"d:", b"w:", b"c:")) for name in fields)
    return (
        int(fields.get(_name(ReceiptField.OPEN), b"1")) <= 0
        and _name(ReceiptField.DEAD) not in fields
        and all(_is_final(one.fields) for one in deliveries)
        and parts <= MOST_PARTS
        and sum(len(one.story) for one in deliveries) <= MOST_STORY
        and sum(map(len, _all_texts(records))) <= MOST_BYTES
        and not any(_SEPARATOR in text for hash in hashes for text in flat(hash))
    )


def _is_final(delivery: Fields) -> bool:
    """Return whether a delivery stays as it is. The place of a `once` delivery that was skipped may be taken."""
    state = delivery[_name(DeliveryField.STATE)].decode()
    return state in _FINAL and not (state == DeliveryState.SKIPPED and _name(DeliveryField.ONCE) in delivery)


def digest_of(fields: Fields, deliveries: Iterable[DeliveryRecords]) -> str:
    """Return what tells whether records have changed since they were read; `_digest.lua` makes the same."""
    texts = list(flat(fields))
    for one in deliveries:
        texts += [*flat(one.fields), *one.story]
    return hashlib.sha1(_SEPARATOR.join(texts), usedforsecurity=False).hexdigest()


def pack(records: ReceiptRecords) -> bytes:
    """Return the value of a receipt that `may_be_packed`."""
    index = msgspec.msgpack.encode(_index_of(records))
    people = msgspec.msgpack.encode([_behind(name, ReceiptField.PERSON) for name in _people_fields(records.fields)])
    fields = {name: value for name, value in records.fields.items() if not name.startswith(b"w:")}
    deliveries = [(id, _SEPARATOR.join(flat(one.fields)), one.story) for id, one in records.deliveries.items()]
    contents = [(id.removeprefix(f"{records.id}:"), content) for id, content in records.contents.items()]
    plain = msgspec.msgpack.encode(_Body(_SEPARATOR.join(flat(fields)), records.body, deliveries, contents))
    compressor = zlib.compressobj(_LEVEL, wbits=_WINDOW_BITS, zdict=_words_of(records.id, index))
    return b"1|%d|%d|" % (len(index), len(people)) + index + people + compressor.compress(plain) + compressor.flush()


def unpack(id: str, value: bytes) -> ReceiptRecords:
    """Return the records of a packed receipt."""
    index, people, compressed = _split(value)
    decompressor = zlib.decompressobj(_WINDOW_BITS, zdict=_words_of(id, index))
    found = _RECORDS.decode(decompressor.decompress(compressed) + decompressor.flush())
    fields = _hash(found.fields) | {f"{ReceiptField.PERSON}{person}".encode(): b"" for person in _PEOPLE.decode(people)}
    return ReceiptRecords(
        id=id,
        fields=fields,
        body=found.body,
        deliveries={
            id: DeliveryRecords(fields=_hash(texts), story=list(story)) for id, texts, story in found.deliveries
        },
        contents={f"{id}:{suffix}": content for suffix, content in found.contents},
    )


def stored_body(records: ReceiptRecords) -> bytes:
    """Return the body as the store has it beside the receipt's hash: compressed where that says so."""
    return body.compress(records.body) if _name(ReceiptField.COMPRESSED) in records.fields else records.body


def read_index(value: bytes) -> PackedIndex:
    """Return what lists read of a packed receipt."""
    return _INDEX.decode(_split(value)[0])


def _split(value: bytes) -> tuple[bytes, bytes, bytes]:
    found = _HEAD.match(value)
    if found is None:
        raise ValueError("a packed receipt of another format")
    people_at = found.end() + int(found[1])
    records_at = people_at + int(found[2])
    return value[found.end() : people_at], value[people_at:records_at], value[records_at:]


def _words_of(id: str, index: bytes) -> bytes:
    """Return the texts that the compressed records leave out: what all have in common, and what stands before them."""
    return WORDS + id.encode() + index


def _index_of(records: ReceiptRecords) -> PackedIndex:
    fields = records.fields
    listed = {
        _behind(name, ReceiptField.DELIVERY): int(value) for name, value in fields.items() if name.startswith(b"d:")
    }
    return PackedIndex(
        _text(fields, ReceiptField.SOURCE),
        int(fields[_name(ReceiptField.RECEIVED_AT)]),
        int(fields[_name(ReceiptField.SIZE)]),
        _text(fields, ReceiptField.STATE),
        _text(fields, ReceiptField.REASON),
        _name(ReceiptField.RECOVERED) in fields,
        list(_events(fields)),
        [_index_row(listed[id], id, one.fields) for id, one in records.deliveries.items()],
        [(index, id) for id, index in listed.items() if id not in records.deliveries],
    )


def _index_row(index: int, id: str, fields: Fields) -> PackedDelivery:
    return PackedDelivery(
        index,
        id,
        int(fields[_name(DeliveryField.EVENT)].rpartition(b".")[2]),
        _text(fields, DeliveryField.SINK),
        _text(fields, DeliveryField.ROUTE),
        _text(fields, DeliveryField.STATE),
        _text(fields, DeliveryField.REASON),
        _text(fields, DeliveryField.LED),
    )


def _events(fields: Fields) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the events from the first one on: their indexes follow each other."""
    index = 0
    while (event := fields.get(f"{ReceiptField.EVENT}{index}".encode())) is not None:
        yield _EVENT.decode(event)
        index += 1


def _people_fields(fields: Fields) -> list[bytes]:
    return [name for name in fields if name.startswith(ReceiptField.PERSON.encode())]


def _all_texts(records: ReceiptRecords) -> Iterator[bytes]:
    yield records.body
    yield from flat(records.fields)
    yield from records.contents.values()
    for one in records.deliveries.values():
        yield from flat(one.fields)
        yield from one.story


def flat(fields: Fields) -> Iterator[bytes]:
    """Yield the names and values of a hash in turn."""
    for pair in fields.items():
        yield from pair


def _hash(texts_of_hash: bytes) -> Fields:
    texts = texts_of_hash.split(_SEPARATOR)
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _name(field: str) -> bytes:
    return field.encode()


def _behind(name: bytes, prefix: str) -> str:
    return name.decode().removeprefix(prefix)


def _text(fields: Fields, field: str) -> str:
    return fields.get(field.encode(), b"").decode()
