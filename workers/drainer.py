"""Drain one sink: claim deliveries, attempt them, decide by the result, settle.

Everything runs on the loop. Results are settled together with those that finished while the store was busy, and the
same call claims for the slots that became free. That is all the batching there is; no timer delays a result.
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
from relay.masking import mask_known
from relay.model import Attempt, Decision, Delivery, Outcome, Result
from relay.retrying import wait_for_sink
from relay.sinks.base import Sink
from relay.sinks.tools import Tools
from relay.store.histograms import ATTEMPT, END_TO_END, Histogram
from relay.store.parts import CALL_ITEMS
from relay.store.records import SUSPECT_AFTER, Claim, Settlement
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from workers.attempts import OVERDUE, AttemptResult, attempt, not_sent
from workers.claim_tokens import ClaimTokens
from workers.hand import ALONE_SECONDS, Hand
from workers.sending_marks import SendingMarks
from workers.single_flight import CANCEL_SECONDS, SingleFlight
from workers.unsettled import Unsettled

CLOSED_HAND_MS = 100  # until it is looked again whether more may be claimed
SETTLE_TICKS = 3  # loop ticks from an answer's arrival to its settlement: what arrives meanwhile is settled with it
SETTLE_SECONDS = 6.0  # for what finished, when the worker stops while the store is away
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0  # before the store is asked again
SHORT_WAIT_MS = 2000  # for so short a wait the drainer stays, instead of ending and being started again

_json = msgspec.json.Encoder().encode


class Drainer:
    """At most one for each sink in a process. A bell for one that runs makes it claim once more."""

    def __init__(
        self,
        sink: str,
        live: LiveConfig,
        store: Store,
        tools: Tools,
        worker: str,
        stopping: Callable[[], bool],
        hand: Hand | None = None,
    ) -> None:
        self._name = sink
        self._live = live
        self._store = store
        self._marks = SendingMarks(store)
        self._tools = tools
        self._worker = worker
        self._stopping = stopping
        self._draining = SingleFlight(self._drain, "sink", sink=sink)
        self._in_flight: dict[int, tuple[float, asyncio.Task[None]]] = {}  # each with its deadline, monotonic seconds
        self._calls = 0
        self._unsettled = Unsettled(sink, store)
        self._log_lines: list[Mapping[str, object]] = []
        self._attempt_seconds, self._end_to_end_seconds = Histogram(ATTEMPT, sink), Histogram(END_TO_END, sink)
        self._progress = asyncio.Event()
        self._tokens = ClaimTokens(worker)
        self._hand = hand or Hand()

    def start(self) -> None:
        """Drain until nothing may be claimed."""
        self._progress.set()
        self._draining.start()

    async def _drain(self) -> None:
        failures = 0
        while True:
            self._progress.clear()
            try:
                wait_ms = await self._settle_and_claim()
                failures = 0
            except Exception as error:
                if not self._in_flight and not self._unsettled:
                    raise
                log.warning("sink.paused", sink=self._name, reason=f"{type(error).__name__}: {error}")
                failures += 1
                await asyncio.sleep(min(FIRST_PAUSE_SECONDS * 2**failures, LONGEST_PAUSE_SECONDS))
                wait_ms = 0
            if self._unsettled.unwritten and not 0 <= wait_ms <= SHORT_WAIT_MS:
                wait_ms = SHORT_WAIT_MS
            if not self._in_flight and not self._unsettled and not 0 <= wait_ms <= SHORT_WAIT_MS:
                return
            await self._wait_for_progress(wait_ms)
            self._cancel_overdue()
            for _ in range(SETTLE_TICKS):
                await asyncio.sleep(0)

    async def _wait_for_progress(self, wait_ms: int) -> None:
        """Wait until an attempt finishes, a bell rings, more may be claimed, or an attempt is overdue."""
        if len(self._unsettled) > self._unsettled.unwritten:
            return
        waits = [wait_ms / 1000] if wait_ms >= 0 else []
        if self._in_flight:
            waits.append(min(deadline for deadline, _ in self._in_flight.values()) - time.monotonic())
        timer = asyncio.get_running_loop().call_later(max(min(waits), 0), self._progress.set) if waits else None
        await self._progress.wait()
        if timer is not None:
            timer.cancel()

    def _cancel_overdue(self) -> None:
        """Cancel attempts that are overdue: only a sink that does not keep its own timeout has any."""
        now = time.monotonic()
        for number, (deadline, task) in self._in_flight.items():
            if deadline <= now:
                task.cancel(OVERDUE)
                self._in_flight[number] = now + CANCEL_SECONDS, task  # where it has not ended by then, cancel it again

    async def _settle_and_claim(self) -> int:
        """Settle what finished and start what may be sent. Returns in how many milliseconds more may be, or -1."""
        sink = await self._live.find_sink(self._name, self._store.subscriptions)
        await self._unsettled.settle_unwritten(None if sink is None else sink.breaker)
        finished, counts = self._take_finished()
        try:
            return await self._call_store(sink, finished, counts)
        except BaseException as error:
            # What the store claimed in a call whose answer was lost is given back by the next claim.
            self._unsettled.keep(finished, counts, str(error))
            raise

    def _take_finished(self) -> tuple[list[Settlement], dict[str, int]]:
        """Take what one call settles, and write the log lines of all that finished."""
        finished = self._unsettled.take()
        counts = {**self._attempt_seconds.take(), **self._end_to_end_seconds.take()}
        lines, self._log_lines = self._log_lines, []
        log_each("delivery.attempted", lines, sink=self._name)
        return finished, counts

    async def _call_store(self, sink: Sink | None, finished: Sequence[Settlement], counts: Mapping[str, int]) -> int:
        breaker = None if sink is None else sink.breaker
        busy = len(self._in_flight) + self._unsettled.unwritten
        free = 0 if sink is None or self._stopping() else min(sink.concurrency - busy, CALL_ITEMS)
        if sink is None or free <= 0 or self._hand.closed:
            if finished:
                answers = await self._store.settle(self._name, finished, counts, breaker)
                self._unsettled.log_late(finished, answers)
            return CLOSED_HAND_MS if free > 0 else -1
        token = self._tokens.new()
        margin_ms = self._live.config.worker.lease_margin
        lease_ms = sink.lease_ms + margin_ms
        # The first half of the margin is for the store's calls before the attempt, the second for the settlement.
        deadline = time.monotonic() + (sink.lease_ms + margin_ms / 2) / 1000
        batch = (sink.batch, sink.batch_from)
        request = sink_claim_request(
            self._name,
            token,
            free,
            lease_ms,
            sink.concurrency,
            sink.limits,
            batch,
            self._tokens.unheard,
        )
        with self._tokens.used(token, lease_ms):
            if finished:
                answers, claim = await self._store.settle_and_claim(self._name, finished, counts, request, breaker)
                self._unsettled.log_late(finished, answers)
            else:
                claim = await self._store.claim_deliveries(request)
        for id in claim.poisoned:
            log.error("delivery.poisoned", delivery_id=id, sink=self._name, reason="the worker died five times")
        if claim.items and time.monotonic() >= deadline:  # the answer took longer than an attempt may
            self._tokens.give_back(claim.token, lease_ms)
            return 0
        self._start_attempts(claim, sink, deadline)
        return claim.wait_ms

    def _start_attempts(self, claim: Claim[Delivery], sink: Sink, deadline: float) -> None:
        calls = [claim.items] if claim.batched and claim.items else [[delivery] for delivery in claim.items]
        tools = self._tools.of(sink.asker, sink.proxy)
        for deliveries in calls:
            self._calls += 1
            suspect = any(delivery.deaths >= SUSPECT_AFTER for delivery in deliveries)
            task = asyncio.create_task(self._attempt_held(deliveries, sink, tools, suspect))
            self._in_flight[self._calls] = deadline + suspect * ALONE_SECONDS, task
            # Not the attempt itself: one that is cancelled before it began never runs.
            task.add_done_callback(partial(self._note_end, self._calls))

    def _note_end(self, number: int, _: asyncio.Task[None]) -> None:
        self._in_flight.pop(number, None)
        self._progress.set()

    async def _attempt_held(self, deliveries: Sequence[Delivery], sink: Sink, tools: Tools, suspect: bool) -> None:
        async with self._hand.hold(suspect=suspect):
            await self._attempt(deliveries, sink, tools)

    async def _attempt(self, deliveries: Sequence[Delivery], sink: Sink, tools: Tools) -> None:
        at, started = self._store.clock.seconds(), time.monotonic()
        try:
            results = await attempt(deliveries, sink, self._marks, tools)
        except StoreUnavailable as error:
            results = [not_sent(delivery, str(error)) for delivery in deliveries]
        for place, result in enumerate(results):
            self._add_finished(result, sink, at, time.monotonic() - started, counted=place == 0)

    def _add_finished(self, attempted: AttemptResult, sink: Sink, at: float, took: float, *, counted: bool) -> None:
        """Decide by a result, and add the settlement, the log line and the measurements of it.

        `counted`: it is the first of its call.
        """
        delivery, result = attempted.delivery, _masked(attempted.result, sink.hidden_anywhere)
        age_ms = round(at * 1000) - delivery.accepted_at
        decision = _decide(sink, attempted, result, age_ms)
        record = Attempt(
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
        self._unsettled.add(
            Settlement(
                delivery=delivery, outcome=result.outcome, decision=decision, attempt=_json(record), counted=counted
            )
        )
        self._attempt_seconds.observe(took)
        if result.outcome is Outcome.DELIVERED:
            self._end_to_end_seconds.observe(age_ms / 1000 + took)
        self._log_lines.append({
            "delivery_id": delivery.id, "event_id": delivery.event_id, "route": delivery.route,
            "attempt": record.number, "outcome": result.outcome, "decision": decision.kind, "status": result.status,
            "ms": record.took_ms, "reason": result.reason,
        })  # fmt: skip

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [task for _, task in self._in_flight.values()]

    async def finish(self, deadline: float) -> None:
        """Let the attempts in flight end, cancel the rest at `deadline` (monotonic seconds), and settle."""
        if self._in_flight:
            await asyncio.wait(self._tasks(), timeout=max(deadline - time.monotonic(), 0))
        cancelled = dict(self._in_flight)  # as it is now: a claim that was on its way may have started more
        for _, task in cancelled.values():
            task.cancel()
        if cancelled:
            await asyncio.wait(self._tasks(), timeout=CANCEL_SECONDS)
        for number in cancelled:
            self._in_flight.pop(number, None)
        self._progress.set()
        await self._draining.wait_or_cancel(max(deadline, time.monotonic()) + SETTLE_SECONDS)
        if self._unsettled:  # leases decide about what nobody heard of
            log.error("delivery.unsettled", sink=self._name, deliveries=self._unsettled.ids())


def _decide(sink: Sink, attempted: AttemptResult, result: Result, age_ms: int) -> Decision:
    delivery = attempted.delivery
    if attempted.probed or (delivery.trial and result.outcome is Outcome.RETRY):
        return wait_for_sink(result, keeps_mark=delivery.sending)
    return sink.decide(
        result,
        attempts=delivery.attempts,
        age_ms=age_ms,
        jitter=random.random(),
        looked_up=attempted.looked_up,
        at_fault=delivery.at_fault,
    )


def _masked(result: Result, hidden: Sequence[str]) -> Result:
    """Return a result in which the sink's secrets are masked, also where the sink itself does not think of it."""
    if not hidden:
        return result
    reason, response = mask_known(result.reason, hidden), mask_known(result.response, hidden)
    if (reason, response) == (result.reason, result.response):
        return result
    return msgspec.structs.replace(result, reason=reason, response=response)
