"""Deliveries that are put off while their sink has as many pending ones as it may: their hooks alone are kept."""

from collections.abc import Collection, Iterable, Sequence

import msgspec
from redis.asyncio import Redis

from relay.model import DeliveryState, NewDelivery, Record
from relay.store.acts import Author
from relay.store.commands import run_command
from relay.store.keys import Keys
from relay.store.requests import delivery_row
from relay.store.scripts import Caller, Script
from relay.store.wire import Cursor, PutOffRow

_MAKE_PUT_OFF = Script("make_put_off", "_jobs", "_keyed", "_routing", "_put_off")
_CANCEL_PUT_OFF = Script("cancel_put_off", "_jobs", "_keyed", "_routing", "_put_off", "_acting")
_BOOL = msgspec.msgpack.Decoder(bool)
_SCANNED = 1000  # members a call
_QUEUES = msgspec.msgpack.Decoder(list[str])


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


class PutOff:
    """The deliveries that one relay's store puts off. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)

    async def rooms(self, sinks: Iterable[str]) -> dict[str, int]:
        """Return of which of these sinks deliveries are put off, and how many more each may have now."""
        names = list(sinks)
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.hgetall(self._keys.max_pending)
            for name in names:
                pipe.zcard(self._keys.put_off(name))
                pipe.zcard(self._keys.pending(name))
            bounds, *counts = await run_command(pipe.execute())
        most = {name.decode(): int(n) for name, n in bounds.items()}
        found = zip(names, counts[::2], counts[1::2], strict=True)
        return {name: max(most.get(name, 0) - pending, 0) for name, waiting, pending in found if waiting}

    async def next(self, sink: str, most: int) -> list[PutOffDelivery]:
        """Return those of a sink whose hooks arrived first."""
        found = await run_command(self._client.zrange(self._keys.put_off(sink), 0, most - 1, withscores=True))
        return [_read_member(member.decode(), sink, at) for member, at in found]

    async def behind(self, sink: str, after: Cursor, most: int) -> list[PutOffDelivery]:
        """Return those of a sink that follow a place, the first to arrive first: its time, and the id of a delivery."""
        found: list[PutOffDelivery] = []
        start = 0
        while len(found) < most:
            page = await run_command(
                self._client.zrangebyscore(
                    self._keys.put_off(sink), after.score, "+inf", start=start, num=_SCANNED, withscores=True
                )
            )
            rows = [_read_member(member.decode(), sink, at) for member, at in page]
            found += [row for row in rows if (row.arrived_at, row.id) > (after.score, after.member)]
            start += _SCANNED
            if len(page) < _SCANNED:
                break
        return found[:most]

    async def find_all(self, sink: str, ids: Collection[str]) -> dict[str, PutOffDelivery]:
        """Return those of these deliveries that a sink puts off, by id. Looks through all that are, once."""
        found: dict[str, PutOffDelivery] = {}
        cursor = 0
        while True:
            cursor, page = await run_command(self._client.zscan(self._keys.put_off(sink), cursor, count=_SCANNED))
            rows = [_read_member(member.decode(), sink, at) for member, at in page]
            found |= {row.id: row for row in rows if row.id in ids}
            if not cursor or len(found) == len(ids):
                return found

    async def find(self, id: str) -> PutOffDelivery | None:
        """Return the delivery of an id, where it is put off. Looks through all that are, so only a person may ask."""
        if not id.replace("-", "").isalnum():
            return None  # no id, and it may mean more than itself in a pattern
        for sink in await run_command(self._client.hkeys(self._keys.sinks)):
            cursor, name = 0, sink.decode()
            while True:
                key = self._keys.put_off(name)
                cursor, found = await run_command(self._client.zscan(key, cursor, f"{id}|*", _SCANNED))
                for member, at in found:
                    return _read_member(member.decode(), name, at)
                if not cursor:
                    break
        return None

    async def cancel(self, delivery: PutOffDelivery, author: Author) -> bool:
        """Give a delivery up that is put off. Returns whether it was put off still."""
        cancelled = NewDelivery(
            id=delivery.id,
            event_id=delivery.event_id,
            route=delivery.route,
            sink=delivery.sink,
            once=False,
            content=b"",
            state=DeliveryState.CANCELLED,
        )
        row = PutOffRow(delivery.member, delivery_row(cancelled, "", 1))
        request = {"id": delivery.id, "sink": delivery.sink, "by": author.by, "why": author.why, "item": row}
        return _BOOL.decode(await self._call(_CANCEL_PUT_OFF, request, b""))

    async def make(self, sink: str, source: str, config: str, items: Sequence[tuple[str, NewDelivery]]) -> list[str]:
        """Make deliveries of a source's events, each with its member, as far as there is room.

        Returns the queues that have work now. No bell is set.
        """
        rows = [PutOffRow(member, delivery_row(delivery, source, n)) for n, (member, delivery) in enumerate(items, 1)]
        request = {"sink": sink, "config": config, "items": rows}
        contents = [delivery.content for _, delivery in items]
        return _QUEUES.decode(await self._call(_MAKE_PUT_OFF, request, *contents))


def _read_member(member: str, sink: str, at: float) -> PutOffDelivery:
    id, event_id, route = member.split("|", 2)
    return PutOffDelivery(member=member, id=id, event_id=event_id, route=route, sink=sink, arrived_at=int(at))
