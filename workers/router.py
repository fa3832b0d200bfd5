"""Route receipts: claim them, plan what becomes of each, write it, have the sinks drained.

Decoding, matching and rendering would hold up the loop that sends: they have a thread. While it plans one batch, those
before are written and the next is claimed, so that it does not wait for the store, which has others to serve.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec

from relay.config.load import Config
from relay.live_config import LiveConfig
from relay.logs import log, log_each
from relay.model import NewDelivery, Receipt, ReceiptState, RoutedEvent, RoutedReceipt
from relay.planning import SubscriptionsBySource, plan_receipt, plan_receipts
from relay.sinks.base import Sink
from relay.store.body import pack
from relay.store.records import Claim
from relay.store.store import Store
from workers.single_flight import SingleFlight
from workers.store_writes import retry_store_write

PART_ITEMS, CALL_ITEMS = 100, 200  # a script blocks the store while it runs
PART_BYTES = 1 << 20
BATCHES = 3  # that are planned or written at a time; one more may be claimed
PLAN_BYTES = 1 << 20  # of bodies that are planned in one go: decoded they are several times as large
_NOTHING: Claim[Receipt] = Claim(token="", items=[], poisoned=[], wait_ms=-1)


class Router:
    """At most one at work in a process, with one thread: a second would only wait for the first one's interpreter lock.

    `begin` starts the work on queues in this process.
    """

    def __init__(
        self,
        live: LiveConfig,
        store: Store,
        begin: Callable[[Sequence[str]], object],
        stopping: Callable[[], bool],
    ) -> None:
        self._live = live
        self._store = store
        self._begin = begin
        self._stopping = stopping
        self._routing = SingleFlight(self._route, "router")
        self._planner = ThreadPoolExecutor(1, "planner")
        self._claims = 0

    def start(self) -> None:
        """Route until the inbox is empty. Where that is being done already, have it look once more."""
        self._routing.start()

    async def _route(self) -> None:
        in_hand: set[asyncio.Task[None]] = set()
        try:
            while (claim := await self._claim()).items:
                alone = _alone(claim.items)
                await _until_at_most(0 if alone else BATCHES - 1, in_hand)
                in_hand.add(asyncio.create_task(self._plan_and_write(claim)))
                if alone:  # nothing is claimed behind it
                    await _until_at_most(0, in_hand)
            await _until_at_most(0, in_hand)
        except asyncio.CancelledError:
            for task in in_hand:
                task.cancel()
            raise
        finally:
            for ended in await asyncio.gather(*in_hand, return_exceptions=True):
                if isinstance(ended, Exception):
                    log.error("router.failed", reason=f"{type(ended).__name__}: {ended}")

    async def _claim(self) -> Claim[Receipt]:
        """Claim receipts; who subscribed before they arrived is known by then."""
        if self._stopping():
            return _NOTHING
        settings = self._live.config.worker
        self._claims += 1
        token = f"{os.getpid()}:{self._claims}:{os.urandom(4).hex()}"
        claim = await self._store.claim_receipts(token, settings.batch, settings.inbox_lease)
        for id in claim.poisoned:
            log.error("receipt.quarantined", receipt_id=id, reason="the worker died five times")
        if claim.items:
            await self._live.follow(self._store.subscriptions)
        return claim

    async def _plan_and_write(self, claim: Claim[Receipt]) -> None:
        await self._write(claim.token, await self._planned(claim.items))

    async def _planned(self, receipts: Sequence[Receipt]) -> list[RoutedReceipt]:
        """Plan a batch in the thread, by what is in force now."""
        live = self._live
        in_force = live.config, live.sinks, live.subscribed
        return await asyncio.get_running_loop().run_in_executor(self._planner, _plan, receipts, *in_force)

    async def _write(self, token: str, planned: Sequence[RoutedReceipt]) -> None:
        """Write what was planned. Its deliveries are begun right here; where they are many, tickers call for help."""
        for parts in _groups(part for routed in planned for part in split(routed)):
            queues, stale = await retry_store_write(partial(self._store.save_routed, token, parts))
            self._begin(queues)
            for id in stale:
                log.warning("receipt.late", receipt_id=id)  # a newer lease has it, or an earlier try's answer was lost
            log_each("receipt.routed", [_line(part) for part in parts if part.last])

    async def finish(self, deadline: float) -> None:
        """Let what is planned be written; at `deadline` (monotonic seconds) leave it to its leases."""
        await self._routing.ended_by(deadline)
        self._planner.shutdown(wait=False, cancel_futures=True)


async def _until_at_most(most: int, in_hand: set[asyncio.Task[None]]) -> None:
    """Wait until so few are left; raise what one of them raised."""
    while len(in_hand) > most:
        done, _ = await asyncio.wait(in_hand, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            in_hand.discard(task)
            task.result()


def _alone(receipts: Sequence[Receipt]) -> bool:
    """Return whether nothing else shall be in this worker's hands while these are planned: they may kill it."""
    return any(receipt.deaths for receipt in receipts)


def _plan(
    receipts: Sequence[Receipt], config: Config, sinks: Mapping[str, Sink], subscribed: SubscriptionsBySource
) -> list[RoutedReceipt]:
    planned: list[RoutedReceipt] = []
    for some in _slices(receipts):
        try:
            planned += plan_receipts(some, config, sinks, subscribed)
        except Exception:  # noqa: BLE001  a defect of ours, in one of them: each for itself
            planned += [_plan_alone(receipt, config, sinks, subscribed) for receipt in some]
    packed = [pack(receipt.body) for receipt in receipts]
    return [msgspec.structs.replace(one, packed=small) for one, small in zip(planned, packed, strict=True)]


def _slices(receipts: Sequence[Receipt]) -> Iterator[list[Receipt]]:
    some: list[Receipt] = []
    size = 0
    for receipt in receipts:
        if some and size + len(receipt.body) > PLAN_BYTES:
            yield some
            some, size = [], 0
        some.append(receipt)
        size += len(receipt.body)
    yield some


def _plan_alone(
    receipt: Receipt, config: Config, sinks: Mapping[str, Sink], subscribed: SubscriptionsBySource
) -> RoutedReceipt:
    try:
        return plan_receipt(receipt, config, sinks, subscribed)
    except Exception as error:  # noqa: BLE001  this receipt waits for the mending, the others go on
        log.exception("receipt.quarantined", receipt_id=receipt.id)
        reason = f"the relay failed on it: {type(error).__name__}"
        state = ReceiptState.QUARANTINED
        return RoutedReceipt(
            receipt=receipt, state=state, reason=reason, config=config.version, events=(), deliveries=()
        )


def _line(routed: RoutedReceipt) -> dict[str, object]:
    return {
        "receipt_id": routed.receipt.id,
        "source": routed.receipt.source,
        "state": routed.state,
        "reason": routed.reason,
        "events": len(routed.events),
        "deliveries": len(routed.deliveries),
    }


def split(routed: RoutedReceipt) -> Iterator[RoutedReceipt]:
    """Split what a large receipt became into parts for one script call each; the last takes it out of the inbox."""
    if _fits(routed.deliveries, routed.events):
        yield routed
        return
    deliveries, events = list(routed.deliveries), list(routed.events)
    while not _fits(deliveries, events):
        n, size = 0, 0
        while n < min(len(deliveries), PART_ITEMS) and (n == 0 or size + len(deliveries[n].content) <= PART_BYTES):
            size += len(deliveries[n].content)
            n += 1
        part, deliveries = deliveries[:n], deliveries[n:]
        listed, events = events[:PART_ITEMS], events[PART_ITEMS:]
        yield msgspec.structs.replace(routed, deliveries=part, events=listed, last=False)
    yield msgspec.structs.replace(routed, deliveries=deliveries, events=events)


def _fits(deliveries: Sequence[NewDelivery], events: Sequence[RoutedEvent]) -> bool:
    few = len(deliveries) <= PART_ITEMS and len(events) <= PART_ITEMS
    return few and sum(len(d.content) for d in deliveries) <= PART_BYTES


def _groups(parts: Iterable[RoutedReceipt]) -> Iterator[list[RoutedReceipt]]:
    """Put small parts together into script calls."""
    group: list[RoutedReceipt] = []
    items = size = 0
    for part in parts:
        n, bytes_ = 1 + len(part.deliveries), sum(len(d.content) for d in part.deliveries)
        if group and (items + n > CALL_ITEMS or size + bytes_ > PART_BYTES):
            yield group
            group, items, size = [], 0, 0
        group.append(part)
        items, size = items + n, size + bytes_
    if group:
        yield group
