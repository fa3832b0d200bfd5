"""Deliveries that are put off while their sink has as many pending ones as it may: their hooks alone are kept."""

from collections.abc import Collection, Iterable, Sequence

import msgspec
from redis.asyncio import Redis

from relay.model import DeliveryState, NewDelivery
from relay.store.acts import Author, describe_author
from relay.store.commands import run_command
from relay.store.keys import Keys
from relay.store.put_off_rows import PutOffDelivery, read_put_off
from relay.store.requests import delivery_row
from relay.store.scripts import Caller, Script
from relay.store.wire.routing import PutOffRow

_MAKE_PUT_OFF = Script("make_put_off", "_jobs", "_keyed", "_routing", "_put_off")
_CANCEL_PUT_OFF = Script("cancel_put_off", "_jobs", "_keyed", "_routing", "_put_off", "_acting")
_CODE = msgspec.msgpack.Decoder(str)
_SCANNED = 1000  # members a call
_QUEUES = msgspec.msgpack.Decoder(list[str])


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
        return [read_put_off(member.decode(), sink, at) for member, at in found]

    async def find_all(self, ids: Collection[str], sinks: Collection[str] = ()) -> dict[str, PutOffDelivery]:
        """Return those of these deliveries that are put off, by id; `sinks`: whose they are, where that is known.

        Looks through all that these sinks put off, once, so only what a person has asked for may ask.
        """
        names = sinks or [name.decode() for name in await run_command(self._client.hkeys(self._keys.sinks))]
        found: dict[str, PutOffDelivery] = {}
        for sink in names:
            cursor: int | None = None
            while cursor != 0 and len(found) < len(ids):
                cursor, page = await run_command(
                    self._client.zscan(self._keys.put_off(sink), cursor or 0, _pattern(ids), _SCANNED)
                )
                rows = [read_put_off(member.decode(), sink, at) for member, at in page]
                found |= {row.id: row for row in rows if row.id in ids}
        return found

    async def cancel(self, delivery: PutOffDelivery, author: Author) -> str:
        """Give a delivery up that is put off. Returns "done", or as an `ActAnswer` says it why it was not.

        "gone": it is not put off any more.
        """
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
        request = {"id": delivery.id, "sink": delivery.sink, "item": row, **describe_author(author)}
        return _CODE.decode(await self._call(_CANCEL_PUT_OFF, request, b""))

    async def make(self, sink: str, source: str, config: str, items: Sequence[tuple[str, NewDelivery]]) -> list[str]:
        """Make deliveries of a source's events, each with its member, as far as there is room.

        Returns the queues that have work now. No bell is set.
        """
        rows = [PutOffRow(member, delivery_row(delivery, source, n)) for n, (member, delivery) in enumerate(items, 1)]
        request = {"sink": sink, "config": config, "items": rows}
        contents = [delivery.content for _, delivery in items]
        return _QUEUES.decode(await self._call(_MAKE_PUT_OFF, request, *contents))


def _pattern(ids: Collection[str]) -> str | None:
    """Return by which pattern the store itself finds a single id, as long as that means nothing but itself."""
    (id, *others) = ids or ("",)
    return f"{id}|*" if not others and id.replace("-", "").isalnum() else None
