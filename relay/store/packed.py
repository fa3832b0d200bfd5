"""Finished receipts are packed, each with all that belongs to it, into one value: that takes half the memory.

What is read of them is as before: `Reader` looks here for what it does not find. What is to change is unpacked first.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis

from relay.model import Record
from relay.store.body import unpack as inflate
from relay.store.commands import run_command
from relay.store.fields import DeliveryField, PackingField, ReceiptField
from relay.store.keys import Keys
from relay.store.packing import (
    DeliveryRecords,
    Fields,
    ReceiptRecords,
    digest_of,
    flat,
    made_deliveries,
    may_be_packed,
    pack,
    stored_body,
    unpack,
)
from relay.store.parts import group
from relay.store.scripts import Caller, Script
from relay.store.wire.rewriting import PackRow, UnpackedDelivery

PACKED_AFTER_MS: Final = 9_000_000
"""So long after it was finished a receipt is packed: two and a half hours.

By then a repetition of its hook is no duplicate any more, and no worker has it in hand. So the last release (commit
b42e45f), which may take hooks beside this one and does not know what is packed, needs nothing of it either.
"""
_PACK: Final = Script("pack_receipts", "_digest")
_UNPACK: Final = Script("unpack_receipt")
_BOOLS = msgspec.msgpack.Decoder(list[bool])
_BOOL = msgspec.msgpack.Decoder(bool)


class PackedReceipts:
    """Reads what is packed of one relay's store. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def read(self, receipts: Sequence[str]) -> dict[str, ReceiptRecords]:
        """Read receipts; those that are not packed are left out."""
        ids = list(dict.fromkeys(receipts))
        values = await run_command(self._client.mget(map(self._keys.packed, ids))) if ids else []
        return {id: unpack(id, value) for id, value in zip(ids, values, strict=True) if value is not None}

    async def receipts_of(self, deliveries: Sequence[str]) -> dict[str, str]:
        """Return in which packed receipts deliveries are; those that are not packed are left out."""
        found = await run_command(self._client.mget(map(self._keys.packed_in, deliveries))) if deliveries else []
        return {id: receipt.decode() for id, receipt in zip(deliveries, found, strict=True) if receipt is not None}

    async def read_deliveries(self, deliveries: Sequence[str]) -> dict[str, DeliveryRecords]:
        """Read deliveries; those that are not packed are left out."""
        places = await self.receipts_of(deliveries)
        receipts = await self.read(list(places.values()))
        return {id: receipts[place].deliveries[id] for id, place in places.items() if place in receipts}


class PackedUntil(Record):
    """How far the packing has come in the order in which receipts were finished."""

    score: int = 0
    member: str = ""


class Packing:
    """Packs receipts of one relay's store, and unpacks them. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)
        self._packed = PackedReceipts(client, self._keys)

    async def pack_next(self, now: int, most: int, after_ms: int = PACKED_AFTER_MS) -> int:
        """Pack those that were finished next, at most so many. Returns how many were looked at.

        What has changed since it was read, or is not to be packed, stays as it is.
        """
        finished = await self._next_finished(now - after_ms, most)
        records = [one for one in await self._read([id for id, _ in finished]) if may_be_packed(one)]
        values = dict(
            zip([one.id for one in records], await asyncio.to_thread(lambda: list(map(pack, records))), strict=True)
        )
        by_id = {one.id: one for one in records}
        for part in group(finished, size=lambda row: len(values.get(row[0], b""))):
            rows = [_pack_row(by_id[id]) for id, _ in part if id in values]
            member, score = part[-1]
            request = {"after_ms": after_ms, "rows": rows, "score": score, "member": member}
            _BOOLS.decode(await self._call(_PACK, request, *[values[row.receipt] for row in rows]))
        return len(finished)

    async def _next_finished(self, until: int, most: int) -> list[tuple[str, int]]:
        """Return ids and times of what was finished behind the reach and until a time, the earliest first."""
        reach = await self._reach()
        found: list[tuple[str, int]] = []
        start = 0
        while len(found) < most:
            page = await run_command(
                self._client.zrangebyscore(
                    self._keys.finished, reach.score, until, start=start, num=most, withscores=True
                )
            )
            rows = [(member.decode(), int(score)) for member, score in page]
            found += [row for row in rows if (row[1], row[0].encode()) > (reach.score, reach.member.encode())]
            start += most
            if len(page) < most:
                break
        return found[:most]

    async def _reach(self) -> PackedUntil:
        fields = (PackingField.SCORE, PackingField.MEMBER)
        score, member = await run_command(self._client.hmget(self._keys.packing, *fields))
        return PackedUntil() if score is None else PackedUntil(score=int(score), member=member.decode())

    async def read_records(self, ids: Sequence[str]) -> list[ReceiptRecords]:
        """Read all records of receipts, packed or not; those that are gone or have no body are left out."""
        found = {one.id: one for one in await self._read(ids)}
        found |= await self._packed.read([id for id in ids if id not in found])
        # One that is in neither place may have been unpacked between the two looks.
        found |= {one.id: one for one in await self._read([id for id in ids if id not in found])}
        return [found[id] for id in ids if id in found]

    async def _read(self, ids: Sequence[str]) -> list[ReceiptRecords]:
        """Read all records of receipts; those that are not whole are left out."""
        async with self._client.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hgetall(self._keys.receipt(id))
                pipe.get(self._keys.body(id))
            found = await run_command(pipe.execute()) if ids else []
        receipts = {
            id: (fields, body)
            for id, fields, body in zip(ids, found[::2], found[1::2], strict=True)
            if fields and body is not None
        }
        made = await self._read_made({id: fields for id, (fields, _) in receipts.items()})
        contents = await self._read_contents({id: fields for id, (fields, _) in receipts.items()}, made)
        return [
            ReceiptRecords(
                id=id,
                fields=fields,
                body=inflate(body) if ReceiptField.COMPRESSED.encode() in fields else body,
                deliveries=made[id],
                contents=contents[id],
            )
            for id, (fields, body) in receipts.items()
        ]

    async def _read_made(self, receipts: dict[str, Fields]) -> dict[str, dict[str, DeliveryRecords]]:
        """Read the deliveries that receipts have made, with their stories."""
        listed = {id: _listed(fields, ReceiptField.DELIVERY) for id, fields in receipts.items()}
        ids = [delivery for deliveries in listed.values() for delivery in deliveries]
        async with self._client.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hgetall(self._keys.delivery(id))
                pipe.lrange(self._keys.story(id), 0, -1)
            found = await run_command(pipe.execute()) if ids else []
        records = dict(zip(ids, zip(found[::2], found[1::2], strict=True), strict=True))
        return {
            id: {
                delivery: DeliveryRecords(fields=fields, story=records[delivery][1])
                for delivery, fields in made_deliveries(id, {one: records[one][0] for one in listed[id]}).items()
            }
            for id in receipts
        }

    async def _read_contents(
        self, receipts: dict[str, Fields], made: dict[str, dict[str, DeliveryRecords]]
    ) -> dict[str, dict[str, bytes]]:
        """Read what the deliveries of receipts send, and what they sent before."""
        wanted = {
            id: [
                *(one.fields[DeliveryField.CONTENT.encode()].decode() for one in made[id].values()),
                *_listed(fields, ReceiptField.CONTENT),
            ]
            for id, fields in receipts.items()
        }
        ids = list(dict.fromkeys(content for contents in wanted.values() for content in contents))
        values = await run_command(self._client.mget(map(self._keys.content, ids))) if ids else []
        found = {id: value for id, value in zip(ids, values, strict=True) if value is not None}
        return {id: {one: found[one] for one in contents if one in found} for id, contents in wanted.items()}

    async def unpack_receipt(self, id: str) -> None:
        """Write the records of a receipt as they were before it was packed. One that is not packed stays as it is."""
        while value := await run_command(self._client.get(self._keys.packed(id))):
            records = unpack(id, value)
            request = {
                "receipt": id,
                "digest": hashlib.sha1(value, usedforsecurity=False).hexdigest(),
                "fields": 2 * len(records.fields),
                "deliveries": [_unpacked(id, one) for id, one in records.deliveries.items()],
                "contents": list(records.contents),
            }
            if _BOOL.decode(await self._call(_UNPACK, request, *_texts_of(records))):
                return

    async def unpack_deliveries(self, ids: Sequence[str]) -> None:
        """Unpack the receipts of deliveries."""
        for receipt in set((await self._packed.receipts_of(ids)).values()):
            await self.unpack_receipt(receipt)


def _pack_row(records: ReceiptRecords) -> PackRow:
    once = {
        id: one.fields[DeliveryField.STATE.encode()].decode()
        for id, one in records.deliveries.items()
        if DeliveryField.ONCE.encode() in one.fields
    }
    digest = digest_of(records.fields, records.deliveries.values())
    return PackRow(records.id, digest, list(records.deliveries), list(records.contents), once)


def _unpacked(id: str, records: DeliveryRecords) -> UnpackedDelivery:
    once = DeliveryField.ONCE.encode() in records.fields
    return UnpackedDelivery(id, 2 * len(records.fields), len(records.story), once)


def _texts_of(records: ReceiptRecords) -> Iterator[bytes]:
    """Yield all that is written, in the order of `unpack_receipt.lua`."""
    yield from flat(records.fields)
    yield stored_body(records)
    for one in records.deliveries.values():
        yield from flat(one.fields)
        yield from one.story
    yield from records.contents.values()


def _listed(fields: Fields, prefix: str) -> list[str]:
    """Return what the fields name that begin with a prefix."""
    return [name.decode().removeprefix(prefix) for name in fields if name.startswith(prefix.encode())]
