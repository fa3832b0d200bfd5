"""Take people out of receipts and of all that belongs to them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec
from redis.asyncio import Redis

from relay.model import Record
from relay.store.body import compress
from relay.store.fields import ReceiptField
from relay.store.keys import Keys
from relay.store.packed import Packing
from relay.store.packing import ReceiptRecords, digest_of, flat
from relay.store.scripts import Caller, Script
from relay.store.wire.rewriting import ErasedDelivery

ErasureAnswer: TypeAlias = Literal["done", "changed", "stopped", "packed", "gone", "open"]
_ERASE = Script("erase_people", "_digest", "_packed", "_acting")
_ANSWER: msgspec.msgpack.Decoder[ErasureAnswer] = msgspec.msgpack.Decoder(ErasureAnswer)


class DeliveryErasure(Record):
    """What of a delivery is written in place of what was there: fields of its hash, and its whole story."""

    fields: Mapping[str, str]
    story: Sequence[bytes]


class Erasure(Record):
    """What is written in place of what speaks of a person in a receipt.

    `records`: the receipt as it was read. `body` None: it stays. `indexes`: of the events that spoke of them, "" where
    it could not be read. `fields`, `without`: what of its hash is written, and removed. `contents`: those that are
    emptied; `shared`: what workers share of them; `not_asked`: deliveries whose sinks cannot be asked to forget them.
    """

    records: ReceiptRecords
    indexes: Sequence[str]
    body: bytes | None = None
    fields: Mapping[str, str] = {}
    without: Sequence[str] = ()
    deliveries: Mapping[str, DeliveryErasure] = {}
    contents: Sequence[str] = ()
    shared: Sequence[str] = ()
    not_asked: Sequence[str] = ()


class Erasing:
    """Erases in one relay's store. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._call = Caller(client, Keys(namespace).prefix)
        self._packing = Packing(client, namespace)

    async def erase(self, erasure: Erasure, action: str) -> ErasureAnswer:
        """Write it, where the receipt is as it was read, and nothing of it is pending, held or dead.

        Where it is packed, it is unpacked, and to be read anew.
        """
        records, deliveries = erasure.records, erasure.deliveries
        request = {
            "receipt": records.id,
            "action": action,
            "digest": digest_of(records.fields, records.deliveries.values()),
            "listed": list(records.deliveries),
            "indexes": erasure.indexes,
            "body": erasure.body is not None,
            "fields": [text for pair in erasure.fields.items() for text in pair],
            "without": erasure.without,
            "deliveries": [ErasedDelivery(id, 2 * len(one.fields), len(one.story)) for id, one in deliveries.items()],
            "contents": erasure.contents,
            "shared": erasure.shared,
            "not_asked": erasure.not_asked,
        }
        answer = _ANSWER.decode(await self._call(_ERASE, request, *_texts_of(erasure)))
        if answer == "packed":
            await self._packing.unpack_receipt(records.id)
        return answer


def _texts_of(erasure: Erasure) -> Iterator[bytes]:
    """Yield all that is written, in the order of `erase_people.lua`."""
    if erasure.body is not None:
        is_compressed = ReceiptField.COMPRESSED.encode() in erasure.records.fields
        yield compress(erasure.body) if is_compressed else erasure.body
    for one in erasure.deliveries.values():
        yield from flat({name.encode(): text.encode() for name, text in one.fields.items()})
        yield from one.story
