"""Route receipts: claim them, plan what becomes of each, write it, and start draining the sinks.

Decoding, matching and rendering would hold up the loop that sends, so they have a thread of their own. While it plans
one batch, those before are written and the next one is claimed: the thread does not wait for the store. A few small
receipts are planned on the loop: that takes less than the way to the thread and back.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeAlias

import msgspec

from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log, log_each
from relay.model import Receipt, RoutedReceipt
from relay.store.parts import group, split_receipt
from relay.store.records import SUSPECT_AFTER, Claim, Handed
from relay.store.store import Store
from relay.tracing.tracer import Tracer
from workers.batch_planning import plan_batch
from workers.claim_tokens import ClaimTokens
from workers.drainer import Drainer
from workers.hand import Hand
from workers.handed_receipts import HandedReceipts
from workers.planning_on_loop import OnLoop, measured
from workers.route_spans import RouteSpans
from workers.routed_writes import RoutedWrites
from workers.single_flight import SingleFlight
from workers.store_writes import retry_store_write
from workers.watchdog import Watchdog

GROUP_ITEMS = 100  # receipts and deliveries in one call: some milliseconds of the store
PLANNER = "planner"
BATCHES = 3  # planned or written at a time; one more may be claimed
UNKNOWN_SOURCE_MS = 600_000  # for which a receipt waits for a worker that knows its source
Written: TypeAlias = tuple[list[str], list[str]]
"""Queues that have work now, and receipts that are another's."""
CallWrite: TypeAlias = Callable[[Callable[[], Awaitable[Written]]], Awaitable[Written]]
"""Makes a write: once, or again until the store takes it."""
_NOTHING: Claim[Receipt] = Claim(token="", items=[], poisoned=[], wait_ms=-1)


class Router:
    """At most one runs in a process, with one thread: a second would only wait for the interpreter lock.

    `start_queues` starts the work on queues in this process; `drainer_of` returns the drainer of a sink in it.
    Beside it what the store hands over is routed, as it comes.
    """

    def __init__(
        self,
        live: LiveConfig,
        store: Store,
        start_queues: Callable[[Sequence[str]], object],
        worker: str,
        stopping: Callable[[], bool],
        watchdog: Watchdog,
        hand: Hand | None = None,
        drainer_of: Callable[[str], Drainer | None] = lambda _: None,
        tracer: Tracer | None = None,
        planner: str = PLANNER,
    ) -> None:
        self._live = live
        self._store = store
        self._writes = RoutedWrites(store, drainer_of)
        self._start_queues = start_queues
        self._tokens = ClaimTokens(worker, "r")
        self._hand = hand or Hand()
        self._stopping = stopping
        self._watchdog = watchdog
        self._planner_name = planner
        self._tracer = tracer or Tracer()
        self._routing = SingleFlight(self._route, "router")
        self._called = False
        self._progress = asyncio.Event()  # it was started again, or a batch has ended
        self._on_loop = OnLoop()
        self._planner = ThreadPoolExecutor(1, "planner")
        self._handed = HandedReceipts(self._route_handed)

    def take(self, handed: Handed) -> None:
        """Route what the store handed over, unless this worker may begin nothing now: then it is soon due for all."""
        self._store.clock.note(handed.store_ms)
        if not (self._stopping() or self._hand.closed or self._live.changing):
            self._handed.add(handed)

    def start(self) -> None:
        """Route until the inbox is empty. Where it runs already, it claims once more."""
        self._called = True
        self._progress.set()
        self._routing.start()

    async def _route(self) -> None:
        batches: set[asyncio.Task[None]] = set()
        try:
            while self._called:
                await self._claim_and_begin(batches)
                await self._wait_for_call(batches)
        except asyncio.CancelledError:
            for task in batches:
                task.cancel()
            raise
        finally:
            for ended in await asyncio.gather(*batches, return_exceptions=True):
                if isinstance(ended, Exception):
                    log.error("router.failed", reason=f"{type(ended).__name__}: {ended}")

    async def _claim_and_begin(self, batches: set[asyncio.Task[None]]) -> None:
        """Claim as long as the store has something due, and begin with it."""
        more = True
        while more:
            self._called = False
            claim = await self._claim()
            if not claim.items:
                return
            alone = _has_suspect(claim.items)
            await _wait_until_at_most(0 if alone else BATCHES - 1, batches)
            batch = asyncio.create_task(self._route_claimed(claim))
            batch.add_done_callback(lambda _: self._progress.set())
            batches.add(batch)
            if alone:  # nothing is claimed until it is written
                await _wait_until_at_most(0, batches)
            more = claim.wait_ms == 0

    async def _wait_for_call(self, batches: set[asyncio.Task[None]]) -> None:
        """Wait until this is started again, or all is written; raise what a batch raised."""
        while True:
            self._progress.clear()
            _take_ended(batches)
            if self._called or not batches:
                return
            await self._progress.wait()

    async def _claim(self) -> Claim[Receipt]:
        """Claim receipts, and know the subscriptions that were made before they arrived."""
        while not self._stopping() and not self._live.changing:  # what arrives now may be of a source of the new file
            claimed = await self._claim_any()
            with self._tokens.used(claimed.token, self._live.config.worker.inbox_lease):
                claim = await self._leave_others(claimed)
            if claim.items or not claimed.items:
                return claim
        return _NOTHING

    async def _leave_others(self, claimed: Claim[Receipt]) -> Claim[Receipt]:
        """Give back what this process may not route, and know the subscriptions that were made before the rest."""
        claim = await self._leave_unknown(await self._leave_while_changing(claimed))
        if claim.items:
            await self._live.refresh_subscriptions(self._store.subscriptions, claimed.subscriptions_version)
        return claim

    async def _claim_any(self) -> Claim[Receipt]:
        await self._hand.wait_until_open()
        settings = self._live.config.worker
        token = self._tokens.new()
        with self._tokens.used(token, settings.inbox_lease):
            claim = await self._store.claim_receipts(token, settings.batch, settings.inbox_lease, self._tokens.unheard)
        for id in claim.poisoned:
            log.error("receipt.quarantined", receipt_id=id, reason="the worker died five times")
        return claim

    async def _leave_while_changing(self, claim: Claim[Receipt]) -> Claim[Receipt]:
        """Give everything back where the file has changed since it was read.

        A web process that has read the new one acknowledges what only its routes are for. Looked at after the claim,
        the file is at least as new as the one by which any receipt was taken.
        """
        if claim.items:
            await self._live.poll()
        if not claim.items or not self._live.changing:
            return claim
        kept = set(await self._store.leave_receipts(claim.token, [one.id for one in claim.items], UNKNOWN_SOURCE_MS))
        log.info(
            "router.waits", reason="the configuration file is being changed", receipts=len(claim.items) - len(kept)
        )
        return msgspec.structs.replace(claim, items=[receipt for receipt in claim.items if receipt.id in kept])

    async def _leave_unknown(self, claim: Claim[Receipt]) -> Claim[Receipt]:
        """Give back receipts of sources that this process does not know: the web process has a newer file."""
        config = self._live.config
        unknown = {receipt.id: receipt.source for receipt in claim.items if config.find_source(receipt.source) is None}
        if not unknown:
            return claim
        kept = await self._store.leave_receipts(claim.token, list(unknown), UNKNOWN_SOURCE_MS)
        left = unknown.keys() - set(kept)
        for source in sorted({unknown[id] for id in left}):
            log.warning("source.unknown", source=source, config=config.version)
        return msgspec.structs.replace(claim, items=[receipt for receipt in claim.items if receipt.id not in left])

    async def _route_handed(self, handed: Claim[Receipt]) -> None:
        """Route what was handed over. What of it fails is not given back: its lease is short."""
        claim = await self._leave_others(handed)
        if claim.items:
            await self._plan_and_write(claim)

    async def _route_claimed(self, claim: Claim[Receipt]) -> None:
        with self._tokens.used(claim.token, self._live.config.worker.inbox_lease):
            await self._plan_and_write(claim)

    async def _plan_and_write(self, claim: Claim[Receipt]) -> None:
        """Plan and write a batch. What the store does not take at once is written without being in hand.

        What may kill the worker is over by then, and while a store is away no other shard waits for it.
        """
        suspect = any(receipt.deaths >= SUSPECT_AFTER for receipt in claim.items)
        spans = RouteSpans(self._tracer, claim.items)
        try:
            async with self._hand.hold(suspect=suspect):
                planned = await self._plan(spans.receipts)
                parts = deque(_groups(planned))
                with suppress(StoreUnavailable):
                    await self._write(claim.token, parts, lambda write: write())
            await self._write(claim.token, parts, retry_store_write)
            spans.end(planned)
        finally:
            spans.end_rest()

    async def _plan(self, receipts: Sequence[Receipt]) -> list[RoutedReceipt]:
        """Plan a batch by the configuration in force now: on the loop where that holds up nobody, or in the thread."""
        live = self._live
        in_force, version = (live.config, live.sinks, live.subscriptions), live.version
        if self._on_loop.may_plan(receipts, live.config, version):
            with self._watchdog.watched_on_loop(self._planner_name):
                planned, seconds = measured(partial(plan_batch, receipts, *in_force, lambda: None))
        else:
            plan = partial(plan_batch, receipts, *in_force, lambda: self._watchdog.turned(self._planner_name))
            watched = self._watchdog.watched(self._planner_name)(partial(measured, plan))
            planned, seconds = await asyncio.get_running_loop().run_in_executor(self._planner, watched)
        self._on_loop.note(len(receipts), seconds, version)
        return planned

    async def _write(self, token: str, parts: deque[Sequence[RoutedReceipt]], call: CallWrite) -> None:
        """Write what was planned, and start its deliveries here. Where they are many, tickers call other workers."""
        while parts:
            queues, stale = await call(partial(self._writes.write, token, parts[0]))
            some = parts.popleft()
            self._start_queues(queues)
            for id in stale:
                log.warning("receipt.late", receipt_id=id)  # a newer lease has it, or an earlier call's answer was lost
            log_each("receipt.routed", [_log_line(part) for part in some if part.last])

    async def finish(self, deadline: float) -> None:
        """Let what is planned be written; at `deadline` (monotonic seconds) leave it to its leases."""
        await asyncio.gather(self._routing.wait_or_cancel(deadline), self._handed.finish(deadline))
        self._planner.shutdown(wait=False, cancel_futures=True)


async def _wait_until_at_most(limit: int, tasks: set[asyncio.Task[None]]) -> None:
    """Wait until at most so many tasks are left; raise what one of them raised."""
    while len(tasks) > limit:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        _take_ended(tasks)


def _take_ended(tasks: set[asyncio.Task[None]]) -> None:
    """Take out what has ended; raise what one of them raised."""
    for task in [one for one in tasks if one.done()]:
        tasks.discard(task)
        task.result()


def _groups(planned: Sequence[RoutedReceipt]) -> Iterator[Sequence[RoutedReceipt]]:
    """Yield what one call writes each."""
    parts = (part for routed in planned for part in split_receipt(routed))
    yield from group(parts, count=_items, size=_content_bytes, max_count=GROUP_ITEMS)


def _has_suspect(receipts: Sequence[Receipt]) -> bool:
    """Return whether one may have killed a worker: then this worker holds nothing else while it is planned."""
    return any(receipt.deaths for receipt in receipts)


def _log_line(routed: RoutedReceipt) -> dict[str, object]:
    return {
        "receipt_id": routed.receipt.id,
        "source": routed.receipt.source,
        "state": routed.state,
        "reason": routed.reason,
        "events": len(routed.events),
        "deliveries": len(routed.deliveries),
        **({"remarks": len(routed.remarks)} if routed.remarks else {}),
    }


def _items(part: RoutedReceipt) -> int:
    return 1 + len(part.deliveries)


def _content_bytes(part: RoutedReceipt) -> int:
    return sum(len(delivery.content) for delivery in part.deliveries)
