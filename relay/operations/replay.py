"""Replay: route stored receipts again, by today's configuration. What succeeded is left alone unless it is forced."""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec.structs import replace

from relay.config.config import Config
from relay.model import DeliveryState, NewDelivery, Receipt, ReceiptState, Record, RoutedEvent, RoutedReceipt
from relay.operations.search import PAGE
from relay.planning import plan_receipt
from relay.sinks.base import Sink
from relay.sinks.registry import make_sinks
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery, StoredReceipt

_UNFINISHED = (ReceiptState.ACCEPTED,)


class Fate(StrEnum):
    """What a replay does with a delivery that today's routes make."""

    NEW = "new"  # it is made
    AGAIN = "again"  # it had ended without success, or is forced: it is rendered anew
    DELIVERED = "delivered"  # left alone, and so are the others
    PENDING = "pending"
    HELD = "held"
    CANCELLED = "cancelled"
    TAKEN = "taken"  # its `once` key was used by another event
    SHADOWED = "shadowed"  # its route is only tried out: it is kept, and never sent
    UNSENDABLE = "unsendable"  # today's routes cannot render it either


class ReplayLimits(Record):
    """Which of the deliveries that today's routes make are meant. Empty texts mean any."""

    route: str = ""
    sink: str = ""
    force: bool = False  # what was delivered or cancelled too


class ReplayedReceipt(Record):
    """A receipt, and what a replay does with each delivery; or why the receipt cannot be replayed."""

    id: str
    problem: str = ""  # "gone", "waits", "erased"
    part: RoutedReceipt | None = None  # what is to be written
    deliveries: Sequence[tuple[NewDelivery, Fate]] = ()


class Replay:
    """Plans replays by one configuration. Its methods raise StoreUnavailable."""

    def __init__(self, reader: Reader, config: Config, limits: ReplayLimits) -> None:
        self.reader = reader
        self.config = config
        self._limits = limits
        self._sinks: Mapping[str, Sink] = make_sinks(config)

    async def plan(self, ids: Sequence[str]) -> list[ReplayedReceipt]:
        """Plan what becomes of events ("<receipt>.<index>") and whole receipts."""
        wanted: dict[str, set[int]] = {}  # receipt -> indexes of its events; none: all
        for id in ids:
            receipt, _, index = id.partition(".")
            wanted.setdefault(receipt, set()).update([int(index)] if index.isdecimal() else [])
        planned: list[ReplayedReceipt] = []
        receipts = list(wanted)
        for at in range(0, len(receipts), PAGE):
            planned += await self._plan_page(receipts[at : at + PAGE], wanted)
        return planned

    async def _plan_page(self, ids: Sequence[str], wanted: Mapping[str, set[int]]) -> list[ReplayedReceipt]:
        stored = {receipt.id: receipt for receipt in await self.reader.receipts(ids)}
        raw = await self.reader.raw_receipts(list(stored))
        erased = {id for id, receipt in stored.items() if _is_erased(receipt, wanted[id])}
        routed = [receipt for id, receipt in raw.items() if stored[id].state not in _UNFINISHED and id not in erased]
        # In a thread: a worker's loop has calls to answer meanwhile.
        parts = await asyncio.to_thread(self._plan_parts, routed, stored, wanted)
        made = [delivery.id for part in parts.values() for delivery in part.deliveries]
        known = await self._read_deliveries(made)
        removed = await self.reader.removed_once([id for id in made if id not in known])
        return [
            ReplayedReceipt(
                id=id,
                problem="" if id in parts else "erased" if id in erased else "waits" if id in raw else "gone",
                part=parts.get(id),
                deliveries=[
                    (one, self._fate(one, known.get(one.id), one.id in removed or one.id in stored[id].deliveries))
                    for one in (parts[id].deliveries if id in parts else ())
                ],
            )
            for id in ids
        ]

    def _plan_parts(
        self, receipts: Sequence[Receipt], stored: Mapping[str, StoredReceipt], wanted: Mapping[str, set[int]]
    ) -> dict[str, RoutedReceipt]:
        planned = [plan_receipt(receipt, self.config, self._sinks) for receipt in receipts]
        return {
            part.receipt.id: self._limit(part, stored[part.receipt.id], wanted[part.receipt.id]) for part in planned
        }

    async def _read_deliveries(self, ids: Sequence[str]) -> dict[str, StoredDelivery]:
        pages = [await self.reader.deliveries(ids[at : at + PAGE]) for at in range(0, len(ids), PAGE)]
        return {one.id: one for page in pages for one in page}

    def _limit(self, part: RoutedReceipt, stored: StoredReceipt, indexes: set[int]) -> RoutedReceipt:
        """Leave out what is not meant; what was routed before stays so."""
        meant_indexes = indexes or {event.index for event in part.events}
        events = [
            event for event in part.events if event.index in meant_indexes and str(event.index) not in stored.erased
        ]
        meant = {f"{stored.id}.{event.index}" for event in events}
        limits = self._limits
        deliveries = [
            one
            for one in part.deliveries
            if one.event_id in meant and limits.route in ("", one.route) and limits.sink in ("", one.sink)
        ]
        before = {event.index: event for event in stored.events}
        routed_now = {one.event_id for one in deliveries}
        events = [
            _event_after(event, before.get(event.index), routed=f"{stored.id}.{event.index}" in routed_now)
            for event in events
        ]
        if any(event.state is ReceiptState.ROUTED for event in events) or stored.state is ReceiptState.ROUTED:
            return replace(part, events=events, deliveries=deliveries, state=ReceiptState.ROUTED, reason="")
        return replace(part, events=events, deliveries=deliveries)

    def _fate(self, planned: NewDelivery, stored: StoredDelivery | None, used: bool) -> Fate:
        if stored is None:
            return Fate.DELIVERED if used else Fate.NEW
        if stored.state in (DeliveryState.PENDING, DeliveryState.HELD, DeliveryState.SHADOWED):
            return Fate(stored.state)
        if stored.event_id != planned.event_id:  # a `once` key; the place of a skipped one may be taken
            return Fate.NEW if stored.state is DeliveryState.SKIPPED else Fate.TAKEN
        if planned.state is not DeliveryState.PENDING:
            return Fate.UNSENDABLE
        if stored.state in (DeliveryState.DELIVERED, DeliveryState.CANCELLED) and not self._limits.force:
            return Fate(stored.state)
        return Fate.AGAIN


def _is_erased(receipt: StoredReceipt, indexes: set[int]) -> bool:
    """Return whether a person was taken out of all that is meant: what would be sent is "erased"."""
    meant = indexes or {event.index for event in receipt.events}
    return bool(receipt.erased) and {str(index) for index in meant} <= set(receipt.erased)


def _event_after(event: RoutedEvent, before: RoutedEvent | None, *, routed: bool) -> RoutedEvent:
    """Return an event as it is listed after a replay: what has deliveries is routed."""
    if routed or (before is not None and before.state is ReceiptState.ROUTED):
        return replace(event, state=ReceiptState.ROUTED, reason="")
    if event.state is ReceiptState.ROUTED:  # by what the replay leaves out
        return before or replace(event, state=ReceiptState.UNROUTED, reason="no route matched")
    return event
