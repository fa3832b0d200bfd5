"""Read receipts as they arrived, and with the facts among them the hooks that these refer to."""

from collections.abc import Sequence

from msgspec.structs import replace
from redis.asyncio import Redis

from relay.model import Receipt
from relay.store.commands import run_command
from relay.store.keys import Keys
from relay.store.packed import PackedReceipts
from relay.store.stored import RAW_FIELDS, read_packed_receipt, read_raw_receipt


class RawReceipts:
    """Reads the bodies of one relay's store. Its methods raise StoreUnavailable."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._packed = PackedReceipts(client, keys)

    async def read(self, ids: Sequence[str]) -> dict[str, Receipt]:
        """Read receipts; those that are gone are left out."""
        found = await self._read(ids)
        if missing := [id for id in ids if id not in found]:
            packed = await self._packed.read(missing)
            found |= {id: read_packed_receipt(one) for id, one in packed.items()}
            # One that is in neither place may have been unpacked between the two looks.
            found |= await self._read([id for id in missing if id not in packed])
        complete = await self.add_originals([found[id] for id in ids if id in found])
        return {receipt.id: receipt for receipt in complete}

    async def add_originals(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        """Return receipts, the facts among them with the hooks that they refer to, each read once."""
        wanted = dict.fromkeys(_hook_of(one) for one in receipts if one.original_id)
        if not wanted:
            return list(receipts)
        originals = await self.read(list(wanted))
        return [replace(one, original=originals.get(_hook_of(one))) if one.original_id else one for one in receipts]

    async def _read(self, ids: Sequence[str]) -> dict[str, Receipt]:
        async with self._client.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hmget(self._keys.receipt(id), *RAW_FIELDS)
                pipe.get(self._keys.body(id))
            found = await run_command(pipe.execute()) if ids else []
        pairs = zip(ids, found[::2], found[1::2], strict=True)
        return {
            id: read_raw_receipt(id, record, body)
            for id, record, body in pairs
            if record[0] is not None and body is not None
        }


def _hook_of(fact: Receipt) -> str:
    return fact.original_id.partition(".")[0]
