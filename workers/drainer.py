"""Drain one sink: claim deliveries, send them, decide by what came of it, settle.

Everything happens on the loop. Results settle together with whatever else finished while the store was busy, and the
same call claims for the slots which that made free: that is the whole batching, there is no timer in it.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log, log_each
from relay.model import Attempt, Delivery, Outcome
from relay.sinks.base import Sink
from relay.sinks.tools import Tools
from relay.store.histograms import ATTEMPT, END_TO_END, Histogram
from relay.store.records import Claim, Settlement
from relay.store.store import Store
from relay.store.wire import sink_claim_request
from workers.attempts import OVERDUE, AttemptResult, attempt
from workers.sending_marks import SendingMarks
from workers.single_flight import CUT_SECONDS, SingleFlight
from workers.store_writes import retry_store_write

AT_ONCE = 100  # a script blocks the store while it runs
TURNS = 3  # of the loop, from an answer that has arrived to its settlement
LINGER_MS = 2000  # for so short a wait it does not pay to leave and be rung for again

_json = msgspec.json.Encoder().encode


class Drainer:
    """At most one for each sink in a process. A bell for one that runs makes it look once more."""

    def __init__(
        self,
        sink: str,
        live: LiveConfig,
        store: Store,
        tools: Tools,
        worker: str,
        stopping: Callable[[], bool],
    ) -> None:
        self._name = sink
        self._live = live
        self._store = store
        self._marks = SendingMarks(store)
        self._tools = tools
        self._worker = worker
        self._stopping = stopping
        self._draining = SingleFlight(self._drain, "sink", sink=sink)
        self._sending: dict[int, tuple[float, asyncio.Task[None]]] = {}  # each with when it is overdue, monotonic
        self._begun = 0
        self._finished: list[Settlement] = []
        self._lines: list[Mapping[str, object]] = []
        self._took, self._end_to_end = Histogram(ATTEMPT, sink), Histogram(END_TO_END, sink)
        self._progress = asyncio.Event()
        self._claims = 0

    def start(self) -> None:
        """Drain until nothing may be taken."""
        self._progress.set()
        self._draining.start()

    async def _drain(self) -> None:
        while True:
            self._progress.clear()
            try:
                wait_ms = await self._turn()
            except StoreUnavailable as error:
                if not self._sending and not self._finished:
                    raise
                log.warning("sink.paused", sink=self._name, reason=str(error))
                wait_ms = LINGER_MS
            if not self._sending and not self._finished and not 0 <= wait_ms <= LINGER_MS:
                return
            await self._progress_within(wait_ms)
            self._cut_overdue()
            for _ in range(TURNS):
                await asyncio.sleep(0)  # whatever else has arrived by now settles with it

    async def _progress_within(self, wait_ms: int) -> None:
        """Wait until something finished, a bell rang, more may be taken, or an attempt is overdue."""
        if self._finished:
            return
        waits = [wait_ms / 1000] if wait_ms >= 0 else []
        if self._sending:
            waits.append(min(overdue for overdue, _ in self._sending.values()) - time.monotonic())
        timer = asyncio.get_running_loop().call_later(max(min(waits), 0), self._progress.set) if waits else None
        await self._progress.wait()
        if timer is not None:
            timer.cancel()

    def _cut_overdue(self) -> None:
        """Cut off what takes too long: only sinks that do not keep their own timeout come to that."""
        now = time.monotonic()
        for number, (overdue, task) in self._sending.items():
            if overdue <= now:
                task.cancel(OVERDUE)
                self._sending[number] = now + CUT_SECONDS, task  # for its end; then once more

    async def _turn(self) -> int:
        """Settle what finished and start what may be taken. Returns in how many milliseconds more may be, or -1."""
        done, counts = self._take_finished()
        try:
            return await self._exchange(done, counts)
        except StoreUnavailable:
            # What was claimed by a call whose answer was lost, its lease gives back.
            await self._settle(done, counts)
            raise

    def _take_finished(self) -> tuple[list[Settlement], dict[str, int]]:
        """Take what is to be settled now, and say it in the log."""
        done, self._finished = self._finished[:AT_ONCE], self._finished[AT_ONCE:]
        counts = {**self._took.take(), **self._end_to_end.take()}
        lines, self._lines = self._lines, []
        log_each("delivery.attempted", lines, sink=self._name)
        return done, counts

    async def _exchange(self, done: Sequence[Settlement], counts: Mapping[str, int]) -> int:
        sink = await self._live.sink_of(self._name, self._store.subscriptions)
        free = 0 if sink is None or self._stopping() else min(sink.concurrency - len(self._sending), AT_ONCE)
        if sink is None or free <= 0:
            await self._settle(done, counts)
            return -1
        self._claims += 1
        token = f"{self._worker}:{self._claims}"
        margin_ms = self._live.config.worker.lease_margin
        lease_ms = sink.lease_ms + margin_ms
        # The first half of the margin is for what the store is asked before the call, the other for writing its end.
        overdue = time.monotonic() + (sink.lease_ms + margin_ms / 2) / 1000
        batch = (sink.batch, sink.batch_from)
        request = sink_claim_request(self._name, token, free, lease_ms, sink.concurrency, sink.limits, batch)
        if done:
            answers, claim = await self._store.settle_and_claim(self._name, done, counts, request)
            self._tell_late(done, answers)
        else:
            claim = await self._store.claim_deliveries(request)
        self._begin(claim, sink, overdue)
        return claim.wait_ms

    def _begin(self, claim: Claim[Delivery], sink: Sink, overdue: float) -> None:
        for id in claim.poisoned:
            log.error("delivery.poisoned", delivery_id=id, sink=self._name, reason="the worker died five times")
        calls = [claim.items] if claim.batched and claim.items else [[delivery] for delivery in claim.items]
        for deliveries in calls:
            self._begun += 1
            self._sending[self._begun] = overdue, asyncio.create_task(self._attempt(self._begun, deliveries, sink))

    async def _attempt(self, number: int, deliveries: Sequence[Delivery], sink: Sink) -> None:
        at, began = time.time(), time.monotonic()
        try:
            for one in await attempt(deliveries, sink, self._marks, self._tools):
                self._finish(one, sink, at, time.monotonic() - began)
        except StoreUnavailable as error:  # nothing has left; the lease runs out
            ids = [delivery.id for delivery in deliveries]
            log.warning("delivery.left", deliveries=ids, sink=self._name, reason=str(error))
        finally:
            self._sending.pop(number, None)
            self._progress.set()

    def _finish(self, came: AttemptResult, sink: Sink, at: float, took: float) -> None:
        delivery, result = came.delivery, came.result
        age_ms = round(at * 1000) - delivery.accepted_at
        decision = sink.decide(
            result, attempts=delivery.attempts, age_ms=age_ms, jitter=random.random(), looked_up=came.looked_up
        )
        told = Attempt(
            number=delivery.attempts + 1,
            at=round(at * 1000),
            took_ms=round(took * 1000),
            outcome=result.outcome,
            reason=result.reason,
            decision=decision.kind,
            status=result.status,
            response=result.response,
            provider_id=result.provider_id,
            segments=result.segments,
            cost=result.cost,
            next_at=round((at + took) * 1000) + decision.delay_ms if decision.delay_ms else None,
            worker=self._worker,
        )
        self._finished.append(
            Settlement(delivery=delivery, outcome=result.outcome, decision=decision, attempt=_json(told))
        )
        self._took.observe(took)
        if result.outcome is Outcome.DELIVERED:
            self._end_to_end.observe(age_ms / 1000 + took)
        self._lines.append({
            "delivery_id": delivery.id, "event_id": delivery.event_id, "route": delivery.route, "attempt": told.number,
            "outcome": result.outcome, "decision": decision.kind, "status": result.status, "ms": told.took_ms,
            "reason": result.reason,
        })  # fmt: skip

    async def _settle(self, done: Sequence[Settlement], counts: Mapping[str, int]) -> None:
        """Write what finished. While the store is away it is tried again, for as long as a lease may last."""
        if not done:
            return
        try:
            answers = await retry_store_write(partial(self._store.settle, self._name, done, counts))
        except StoreUnavailable:
            log.error("delivery.unsettled", sink=self._name, deliveries=[item.delivery.id for item in done])
        else:
            self._tell_late(done, answers)

    def _tell_late(self, done: Sequence[Settlement], answers: Sequence[str]) -> None:
        for item, answer in zip(done, answers, strict=True):
            if answer != "settled":
                log.warning("delivery.late", delivery_id=item.delivery.id, sink=self._name, answer=answer)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [task for _, task in self._sending.values()]

    async def finish(self, deadline: float) -> None:
        """Let what is in flight end, cut it at `deadline` (monotonic seconds), and settle."""
        if self._sending:
            await asyncio.wait(self._tasks(), timeout=max(deadline - time.monotonic(), 0))
        cut = dict(self._sending)  # as it is now: a claim that was on its way may have begun more
        for _, task in cut.values():
            task.cancel()
        if cut:
            await asyncio.wait(self._tasks(), timeout=CUT_SECONDS)
        for number in cut:
            self._sending.pop(number, None)
        self._progress.set()
        await self._draining.ended()
        while self._finished:
            await self._settle(*self._take_finished())
