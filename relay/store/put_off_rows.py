"""What is put off, as lists and stories read it: it has no record, but a row in the set of its sink."""

from collections.abc import Sequence

from relay.model import DeliveryState, Record
from relay.store.commands import run_command
from relay.store.fields import ReceiptField
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery, StoredReceipt


class PutOffDelivery(Record):
    """A delivery that is to be made when its sink has room. `member`: how its set calls it; `arrived_at`: its hook."""

    member: str
    id: str
    event_id: str
    route: str
    sink: str
    arrived_at: int

    @property
    def receipt_id(self) -> str:
        """Return the receipt of its event."""
        return self.event_id.partition(".")[0]


def read_put_off(member: str, sink: str, at: float) -> PutOffDelivery:
    """Return a delivery that is put off from its member and score in the set of its sink."""
    id, event_id, route = member.split("|", 2)
    return PutOffDelivery(member=member, id=id, event_id=event_id, route=route, sink=sink, arrived_at=int(at))


def row_of(delivery: StoredDelivery) -> PutOffDelivery:
    """Return what is put off as its sink's set has it, from what a list has read of it."""
    return PutOffDelivery(
        member=f"{delivery.id}|{delivery.event_id}|{delivery.route}",
        id=delivery.id,
        event_id=delivery.event_id,
        route=delivery.route,
        sink=delivery.sink,
        arrived_at=delivery.accepted_at,
    )


def _listed(delivery: PutOffDelivery, source: str) -> StoredDelivery:
    """Return a delivery that is put off as lists and stories have it: it has no content yet."""
    return StoredDelivery(
        id=delivery.id,
        event_id=delivery.event_id,
        source=source,
        route=delivery.route,
        sink=delivery.sink,
        state=DeliveryState.PUT_OFF,
        reason="",
        accepted_at=delivery.arrived_at,
        created_at=delivery.arrived_at,
        finished_at=None,
        due_at=None,
        in_flight=False,
        attempts=0,
        deaths=0,
        once=False,
        config="",
        content_id="",
    )


async def read_listed(reader: Reader, ids: Sequence[str]) -> list[StoredDelivery]:
    """Read deliveries as `Reader.find` names them: what is put off as the set of its sink calls it.

    Raises StoreUnavailable.
    """
    members = [id for id in ids if "|" in id]
    put_off = {one.id: one for one in await _read_members(reader, members)} if members else {}
    names = [id.partition("|")[0] for id in ids]
    made = {one.id: one for one in await reader.deliveries([id for id in names if id not in put_off])}
    return [one for id in names for one in [put_off.get(id) or made.get(id)] if one is not None]


async def _read_members(reader: Reader, members: Sequence[str]) -> list[StoredDelivery]:
    """Read what is put off still, of all shards; what was made meanwhile is left out."""
    return [one for shard in reader.each.values() for one in await _read_members_in(shard, members)]


async def _read_members_in(reader: Reader, members: Sequence[str]) -> list[StoredDelivery]:
    async with reader.client.pipeline(transaction=False) as pipe:
        for member in members:
            id, event_id, _ = member.split("|", 2)
            fields = (ReceiptField.SOURCE, ReceiptField.RECEIVED_AT, f"{ReceiptField.PUT_OFF}{id}")
            pipe.hmget(reader.keys.receipt(event_id.partition(".")[0]), *fields)
        found = await run_command(pipe.execute())
    return [
        _listed(read_put_off(member, sink.decode(), int(at)), source.decode())
        for member, (source, at, sink) in zip(members, found, strict=True)
        if sink is not None
    ]


async def read_put_off_of(reader: Reader, receipts: Sequence[StoredReceipt]) -> list[StoredDelivery]:
    """Read what is put off of these receipts, of all shards. Raises StoreUnavailable."""
    return [one for shard in reader.each.values() for one in await _read_put_off_in(shard, receipts)]


async def _read_put_off_in(reader: Reader, receipts: Sequence[StoredReceipt]) -> list[StoredDelivery]:
    places = list(dict.fromkeys((sink, one.received_at) for one in receipts for sink in one.put_off.values()))
    if not places:
        return []
    async with reader.client.pipeline(transaction=False) as pipe:
        for sink, at in places:
            pipe.zrangebyscore(reader.keys.put_off(sink), at, at)
        found = await run_command(pipe.execute())
    sources = {one.id: one.source for one in receipts}
    rows = [
        read_put_off(member.decode(), sink, at)
        for (sink, at), members in zip(places, found, strict=True)
        for member in members
    ]
    return [_listed(row, sources[row.receipt_id]) for row in rows if row.receipt_id in sources]
