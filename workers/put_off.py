"""Make the deliveries that were put off, when their sink has room again: their hooks are routed once more for it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from relay.live_config import LiveConfig
from relay.logs import log
from relay.model import DeliveryState, NewDelivery, Receipt, ReceiptState, is_subscriber
from relay.store.parts import group
from relay.store.put_off_rows import PutOffDelivery
from relay.store.reader import Reader
from relay.store.records import Job
from relay.store.store import Store
from workers.batch_planning import plan_batch

PUT_OFF: Final = "put-off"  # kind of the job, which the first that is put off makes
AT_ONCE = 100
BATCHES = 10  # of one sink, then other jobs have their turn
NOT_MADE: Final = "it was put off (max_pending), and by the configuration in force now it would not be made"
FULL_MS, IDLE_MS = 2_000, 60_000  # until it is looked again whether there is room; where nothing is put off


class PutOffMaker:
    """The function of a job."""

    def __init__(self, live: LiveConfig, store: Store, start_queues: Callable[[Sequence[str]], None]) -> None:
        self._live = live
        self._store = store
        self._reader = Reader(store.client, store.namespace)
        self._start_queues = start_queues

    async def run(self, _: Job) -> int:
        """Fill the sinks that have room; it is due again at once where there is more to do for one that has."""
        await self._live.refresh_subscriptions(self._store.subscriptions)
        rooms = await self._store.put_off.rooms(await self._reader.registered_sinks())
        for sink, room in rooms.items():
            if room and (sink in self._live.sinks or is_subscriber(sink)):
                await self._fill(sink, room)
        left = await self._store.put_off.rooms(rooms)
        if any(room and room != rooms[sink] for sink, room in left.items()):
            return 0
        return FULL_MS if left else IDLE_MS

    async def _fill(self, sink: str, room: int) -> None:
        made = 0
        while made < min(room, AT_ONCE * BATCHES):
            items = await self._store.put_off.next(sink, min(room - made, AT_ONCE))
            if not items:
                break
            await self._make(sink, items)
            made += len(items)
        if made:
            log.info("sink.refilled", sink=sink, deliveries=made)

    async def _make(self, sink: str, items: Sequence[PutOffDelivery]) -> None:
        receipts = await self._reader.raw_receipts(list(dict.fromkeys(item.receipt_id for item in items)))
        planned, broken = await asyncio.to_thread(self._plan, sink, list(receipts.values()))
        sources = {receipt.id: receipt.source for receipt in receipts.values()}
        for source in dict.fromkeys(sources.get(item.receipt_id, "") for item in items):
            made = [
                (item.member, planned.get(item.id) or _gone(sink, item, broken.get(item.receipt_id, NOT_MADE)))
                for item in items
                if sources.get(item.receipt_id, "") == source
            ]
            for part in self._parts(made):
                self._start_queues(await self._store.put_off.make(sink, source, self._live.config.version, part))

    def _plan(self, sink: str, receipts: Sequence[Receipt]) -> tuple[dict[str, NewDelivery], dict[str, str]]:
        """Return the deliveries to a sink by their ids, and why receipts cannot be planned, by theirs."""
        live = self._live
        parts = plan_batch(receipts, live.config, live.sinks, live.subscriptions, lambda: None)
        made = {delivery.id: delivery for part in parts for delivery in part.deliveries if delivery.sink == sink}
        return made, {part.receipt.id: part.reason for part in parts if part.state is ReceiptState.QUARANTINED}

    def _parts(self, made: Sequence[tuple[str, NewDelivery]]) -> Iterator[list[tuple[str, NewDelivery]]]:
        return group(made, size=lambda one: len(one[1].content))


def _gone(sink: str, item: PutOffDelivery, reason: str) -> NewDelivery:
    """Return what a delivery comes to that is not made any more, for a reason: a person is told."""
    unsubscribed = is_subscriber(sink)
    return NewDelivery(
        id=item.id,
        event_id=item.event_id,
        route=item.route,
        sink=sink,
        once=False,
        content=b"",
        state=DeliveryState.SKIPPED if unsubscribed else DeliveryState.DEAD,
        reason="the application unsubscribed" if unsubscribed else reason,
    )
