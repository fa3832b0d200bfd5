"""For which delivery another of the same `order` key waits."""

from collections.abc import Mapping

from redis.asyncio import Redis

from relay.model import DeliveryState
from relay.store.commands import run_command
from relay.store.fields import DeliveryField
from relay.store.keys import Keys


async def read_turns(client: Redis, keys: Keys, records: Mapping[str, Mapping[bytes, bytes]]) -> dict[str, str]:
    """Return which of deliveries, given with their hashes, wait for their turn, each with the one whose turn it is.

    Raises StoreUnavailable.
    """
    lines = {id: line for id, record in records.items() if (line := _line_of(record))}
    if not lines:
        return {}
    async with client.pipeline(transaction=False) as pipe:
        for id, (sink, order) in lines.items():
            pipe.zscore(keys.ordered(sink), id)
            pipe.zrange(keys.line(sink, order), 0, 0)
        found = await run_command(pipe.execute())
    first = zip(lines, found[::2], found[1::2], strict=True)
    return {id: members[0].decode().partition("|")[2] for id, at, members in first if at is not None and members}


def _line_of(record: Mapping[bytes, bytes]) -> tuple[str, str] | None:
    """Return the sink and the digest of the key by which a delivery may wait; None: it does not."""
    order = record.get(DeliveryField.KEYED.encode(), b"").partition(b"|")[0].decode()
    if not order or record[DeliveryField.STATE.encode()].decode() != DeliveryState.PENDING:
        return None
    return record[DeliveryField.SINK.encode()].decode(), order
