"""Drain one sink: claim deliveries, attempt them, decide by the result, settle.

Everything runs on the loop. Results are settled together with those that finished while the store was busy, and the
same call claims for the slots that became free. That is all the batching there is; no timer delays a result. Until then
what was claimed ahead begins in these slots (`workers.sink_slots`).
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log, log_each
from relay.model import Attempt, Breaker, Delivery, Outcome
from relay.sinks.base import Sink
from relay.sinks.tools import Tools
from relay.store.histograms import ATTEMPT, END_TO_END, Histogram
from relay.store.parts import CALL_ITEMS
from relay.store.records import SUSPECT_AFTER, Claim, Settlement
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from relay.store.wire.claims import ClaimRequest
from relay.tracing.tracer import Tracer
from workers.attempt_spans import AttemptSpans
from workers.attempts import OVERDUE, AttemptResult, attempt, not_sent
from workers.borrowing import Borrowing
from workers.claim_tokens import ClaimTokens
from workers.decided import decide_attempt, log_line
from workers.hand import ALONE_SECONDS, Hand
from workers.prepared_claim import ClaimsElsewhere, PreparedClaim, prepare_claim
from workers.sending_marks import SendingMarks
from workers.single_flight import CANCEL_SECONDS, SingleFlight
from workers.sink_slots import SinkSlot, SinkSlots
from workers.unsettled import Unsettled

CLOSED_HAND_MS = 100  # until it is looked again whether more may be claimed
SETTLE_TICKS = 3  # loop ticks from an answer's arrival to its settlement: what arrives meanwhile is settled with it
SETTLE_SECONDS = 6.0  # for what finished, when the worker stops while the store is away
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0  # before the store is asked again
SHORT_WAIT_MS = 2000  # for so short a wait the drainer stays, instead of ending and being started again


class _Call:
    """A call in flight."""

    def __init__(self, deadline: float, task: asyncio.Task[None], slot: SinkSlot | None, first: Delivery) -> None:
        self.deadline = deadline  # monotonic seconds
        self.task = task
        self.slot = slot  # None: it is of a batch
        self.first = first


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
        tracer: Tracer | None = None,
        borrowing: Borrowing | None = None,
    ) -> None:
        self._name = sink
        self._tracer = tracer or Tracer()
        self._live = live
        self._store = store
        self._borrowing = borrowing  # where the home of the sink is another shard
        self._queue = borrowing or store
        self._marks = SendingMarks(store)
        self._tools = tools
        self._tools_made: tuple[Sink, Tools] | None = None
        self._worker = worker
        self._stopping = stopping
        self._draining = SingleFlight(self._drain, "sink", sink=sink)
        self._in_flight: dict[int, _Call] = {}
        self._calls = 0
        self._log_lines: list[Mapping[str, object]] = []
        self._attempt_seconds, self._end_to_end_seconds = Histogram(ATTEMPT, sink), Histogram(END_TO_END, sink)
        self._progress = asyncio.Event()
        self._tokens = ClaimTokens(worker)
        self._elsewhere = ClaimsElsewhere()
        self._claim_at = math.inf  # when more may be claimed, monotonic seconds
        self._hand = hand or Hand()
        self._slots = SinkSlots(self._hand)
        self._unsettled = Unsettled(sink, self._queue, self._slots)

    @property
    def _idle(self) -> bool:
        """Return whether there is nothing to do but to claim."""
        return not (self._in_flight or self._unsettled or self._slots.holds_ahead)

    def start(self) -> None:
        """Drain until nothing may be claimed."""
        self._claim_within(0)
        self._progress.set()
        self._draining.start()

    async def _drain(self) -> None:
        failures = 0
        while True:
            self._progress.clear()
            if self._unsettled or self._until_claim() <= 0:
                try:
                    await self._settle_and_claim()
                    failures = 0
                except Exception as error:
                    if self._idle:
                        raise
                    log.warning("sink.paused", sink=self._name, reason=f"{type(error).__name__}: {error}")
                    failures += 1
                    await asyncio.sleep(min(FIRST_PAUSE_SECONDS * 2**failures, LONGEST_PAUSE_SECONDS))
                    self._claim_within(0)
            if self._unsettled.unwritten:
                self._claim_within(SHORT_WAIT_MS)
            if self._idle and self._until_claim() * 1000 > SHORT_WAIT_MS:
                return
            await self._wait_for_progress()
            self._cancel_overdue()
            for _ in range(SETTLE_TICKS if self._in_flight else 0):
                await asyncio.sleep(0)

    def _claim_within(self, wait_ms: int) -> None:
        """Claim at the latest after so many milliseconds."""
        self._claim_at = min(self._claim_at, time.monotonic() + wait_ms / 1000)

    def _until_claim(self) -> float:
        """Return in how many seconds more may be claimed, or something is to be given back."""
        return min(self._claim_at, self._slots.back_at) - time.monotonic()

    async def _wait_for_progress(self) -> None:
        """Wait until an attempt begins or finishes, a bell rings, more may be claimed, or an attempt is overdue."""
        if len(self._unsettled) > self._unsettled.unwritten:
            return
        at = min([self._claim_at, self._slots.back_at, *[call.deadline for call in self._in_flight.values()]])
        wait = max(at - time.monotonic(), 0)
        timer = None if at == math.inf else asyncio.get_running_loop().call_later(wait, self._progress.set)
        await self._progress.wait()
        if timer is not None:
            timer.cancel()

    def _cancel_overdue(self) -> None:
        """Cancel attempts that are overdue: only a sink that does not keep its own timeout has any."""
        now = time.monotonic()
        for call in self._in_flight.values():
            if call.deadline <= now:
                call.task.cancel(OVERDUE)
                call.deadline = now + CANCEL_SECONDS  # where it has not ended by then, cancel it again

    async def _settle_and_claim(self) -> None:
        """Settle what finished and start what may be sent; note when more may be."""
        self._claim_at = math.inf  # a bell that rings meanwhile makes it earlier
        sink = await self._live.find_sink(self._name, self._store.subscriptions)
        await self._unsettled.settle_unwritten(None if sink is None else sink.breaker)
        finished, counts = self._take_finished()
        try:
            wait_ms = await self._call_store(sink, finished, counts)
        except BaseException as error:
            # What the store claimed in a call whose answer was lost is given back by the next claim.
            self._unsettled.keep(finished, counts, str(error))
            raise
        if wait_ms >= 0:
            self._claim_within(wait_ms)

    def _take_finished(self) -> tuple[list[Settlement], dict[str, int]]:
        """Take what one call settles, and write the log lines of all that finished."""
        finished = self._unsettled.take()
        counts = {**self._attempt_seconds.take(), **self._end_to_end_seconds.take()}
        lines, self._log_lines = self._log_lines, []
        log_each("delivery.attempted", lines, sink=self._name)
        return finished, counts

    async def _call_store(self, sink: Sink | None, finished: Sequence[Settlement], counts: Mapping[str, int]) -> int:
        free = 0 if sink is None else self._free_slots(sink)
        may_claim = sink is not None and not self._stopping() and not self._hand.closed
        back = self._slots.take_back(everything=not may_claim or sink is None or bool(sink.limits))
        if sink is not None and may_claim:
            ahead = 0 if self._borrowing else self._slots.wanted(sink, len(finished), free)
            if free > 0 or ahead > 0:
                return await self._claim(sink, free, ahead, back, finished, counts)
        breaker = None if sink is None else sink.breaker
        if back:
            nothing = sink_claim_request(self._name, self._tokens.new(), 0, 0, 0, (), back=back)
            await self._settle_with(nothing, finished, counts, breaker)
        elif finished:
            begun = self._slots.begun_with(finished)
            answers = await self._queue.settle(self._name, finished, counts, breaker, begun)
            self._note_settled(finished, answers)
        return CLOSED_HAND_MS if free > 0 else -1

    async def _claim(
        self,
        sink: Sink,
        free: int,
        ahead: int,
        back: Sequence[Delivery],
        finished: Sequence[Settlement],
        counts: Mapping[str, int],
    ) -> int:
        prepared = prepare_claim(
            sink,
            free,
            self._tokens,
            self._live.config.worker.lease_margin,
            ahead=ahead,
            holds_ahead=self._slots.holds_ahead,
            back=back,
        )
        request = prepared.request
        with self._tokens.used(request.token, request.lease_ms):
            claim = await self._settle_with(request, finished, counts, sink.breaker)
        return claim.wait_ms if self._begin(prepared, claim) else 0

    async def _settle_with(
        self,
        request: ClaimRequest,
        finished: Sequence[Settlement],
        counts: Mapping[str, int],
        breaker: Breaker | None,
    ) -> Claim[Delivery]:
        """Claim, or only give back, and settle in the same call what finished."""
        if finished:
            begun = self._slots.begun_with(finished)
            answers, claim = await self._queue.settle_and_claim(self._name, finished, counts, request, breaker, begun)
            self._note_settled(finished, answers)
        else:
            claim = await self._queue.claim_deliveries(request)
        for id in claim.poisoned:
            log.error("delivery.poisoned", delivery_id=id, sink=self._name, reason="the worker died five times")
        self._slots.given_back(len(request.back))
        if claim.recalled:
            self._slots.take_back(everything=True)
        return claim

    def _note_settled(self, finished: Sequence[Settlement], answers: Sequence[str]) -> None:
        self._slots.settled(finished)
        self._unsettled.log_late(finished, answers)

    def _free_slots(self, sink: Sink) -> int:
        busy = len(self._in_flight) + self._unsettled.unwritten
        return 0 if self._stopping() else max(min(sink.concurrency - busy, CALL_ITEMS), 0)

    async def prepare_claim(self) -> PreparedClaim | None:
        """Return the claim that the router may make with what it writes; None where nothing may be claimed now.

        Whoever asked for it must `take` what came of it, or `give_back`. Raises StoreUnavailable.
        """
        sink = await self._live.find_sink(self._name, self._store.subscriptions)
        free = 0 if sink is None else self._free_slots(sink)
        if self._borrowing or sink is None or free <= 0 or self._hand.closed:
            return None
        prepared = prepare_claim(sink, free, self._tokens, self._live.config.worker.lease_margin)
        self._elsewhere.add(prepared.request.token)
        return prepared

    def take(self, prepared: PreparedClaim, claim: Claim[Delivery]) -> None:
        """Begin with what the router has claimed for this sink."""
        self._elsewhere.end(prepared.request.token)
        if not self._begin(prepared, claim):
            self.start()  # its next claim gives it back
        elif claim.items:
            self._progress.set()
            self._draining.start()

    def give_back(self, prepared: PreparedClaim) -> None:
        """Let the next claim give back what the router may have claimed, as it has no answer."""
        self._elsewhere.end(prepared.request.token)
        self._tokens.give_back(prepared.request.token, prepared.request.lease_ms)
        self.start()

    def _begin(self, prepared: PreparedClaim, claim: Claim[Delivery]) -> bool:
        """Start attempts at what was claimed. Returns False where the answer came too late for them."""
        if claim.items and prepared.overdue:
            self._tokens.give_back(claim.token, prepared.request.lease_ms)
            return False
        self._start_attempts(claim, prepared.sink, prepared.deadline)
        return True

    def _start_attempts(self, claim: Claim[Delivery], sink: Sink, deadline: float) -> None:
        if claim.items:
            tools = self._tools_of(sink)
            if claim.batched:
                self._start_call(claim.items, sink, tools, deadline, None)
                return
            in_slots = len(claim.items) - claim.ahead
            for delivery in claim.items[:in_slots]:
                self._start_call([delivery], sink, tools, deadline, self._slots.take(delivery, deadline))
            self._slots.add(claim.items[in_slots:], sink, tools, deadline)
        self._begin_ahead()

    def _tools_of(self, sink: Sink) -> Tools:
        """Return its tools, made once: a sink of the file stays the same until another file is in force."""
        if self._tools_made is None or self._tools_made[0] is not sink:
            self._tools_made = sink, self._tools.of(sink.asker, sink.proxy)
        return self._tools_made[1]

    def _start_call(
        self, deliveries: Sequence[Delivery], sink: Sink, tools: Tools, deadline: float, slot: SinkSlot | None
    ) -> None:
        self._calls += 1
        suspect = max([delivery.deaths for delivery in deliveries]) >= SUSPECT_AFTER
        task = asyncio.create_task(self._attempt_held(self._calls, deliveries, sink, tools, suspect))
        self._in_flight[self._calls] = _Call(deadline + suspect * ALONE_SECONDS, task, slot, deliveries[0])
        # Not the attempt itself: one that is cancelled before it began never runs.
        task.add_done_callback(partial(self._note_end, self._calls))

    def _note_end(self, number: int, _: asyncio.Task[None]) -> None:
        """Note the end of a call that never ran, or failed: there is nothing to settle."""
        self._end_call(number, settles=False)

    def _end_call(self, number: int, *, settles: bool) -> None:
        """Begin the next in its slot: in the tick in which its results are there, so before anything settles them."""
        call = self._in_flight.pop(number, None)
        if call is None:
            return
        if call.slot is not None:
            if settles:
                self._slots.free(call.slot)
            else:
                self._slots.lose(call.slot, call.first)
            self._begin_ahead()
        self._claim_within(0)
        self._progress.set()

    def _begin_ahead(self) -> None:
        """Begin what was claimed ahead, where calls have ended."""
        while not self._stopping() and not self._hand.closed and (begun := self._slots.begin(len(self._in_flight))):
            ahead, slot = begun
            self._start_call([ahead.delivery], ahead.sink, ahead.tools, ahead.deadline, slot)
            self._slots.begun()

    async def _attempt_held(
        self, number: int, deliveries: Sequence[Delivery], sink: Sink, tools: Tools, suspect: bool
    ) -> None:
        if suspect:
            async with self._hand.hold(suspect=True):
                results = await self._attempt(deliveries, sink, tools)
        else:
            self._hand.add()
            try:
                results = await self._attempt(deliveries, sink, tools)
            finally:
                self._hand.remove()
        self._end_call(number, settles=bool(results))

    async def _attempt(self, deliveries: Sequence[Delivery], sink: Sink, tools: Tools) -> Sequence[AttemptResult]:
        """Make an attempt, and add what it came to."""
        at, started = self._store.clock.seconds(), time.monotonic()
        spans = AttemptSpans(self._tracer, deliveries, sink) if self._tracer.records else None
        try:
            results = await attempt(spans.deliveries if spans else deliveries, sink, self._marks, tools)
        except StoreUnavailable as error:
            results = [not_sent(delivery, str(error)) for delivery in deliveries]
        for place, result in enumerate(results):
            attempted = self._add_finished(result, sink, at, time.monotonic() - started, counted=place == 0)
            if spans:
                spans.end(result.delivery, attempted)
        if spans:
            spans.end_rest(deliveries)
        return results

    def _add_finished(self, attempted: AttemptResult, sink: Sink, at: float, took: float, *, counted: bool) -> Attempt:
        """Decide by a result, and add the settlement, the log line and the measurements of it.

        `counted`: it is the first of its call.
        """
        delivery = attempted.delivery
        is_followed = delivery.route in self._live.config.followers
        decided = decide_attempt(attempted, sink, at, took, self._worker, counted=counted, is_followed=is_followed)
        outcome = decided.attempt.outcome
        self._unsettled.add(decided.settlement)
        self._attempt_seconds.observe(took)
        if outcome is Outcome.DELIVERED:
            self._end_to_end_seconds.observe(at - delivery.accepted_at / 1000 + took)
        self._log_lines.append(log_line(delivery, decided.attempt))
        return decided.attempt

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [call.task for call in self._in_flight.values()]

    async def finish(self, deadline: float) -> None:
        """Let the attempts in flight end, cancel the rest at `deadline` (monotonic seconds), and settle.

        What was claimed ahead is given back at once.
        """
        self._slots.take_back(everything=True)
        self._progress.set()
        await self._elsewhere.wait(deadline - time.monotonic())  # the answers may bring attempts
        if self._in_flight:
            await asyncio.wait(self._tasks(), timeout=max(deadline - time.monotonic(), 0))
        cancelled = dict(self._in_flight)  # as it is now: a claim that was on its way may have started more
        for call in cancelled.values():
            call.task.cancel()
        if cancelled:
            await asyncio.wait(self._tasks(), timeout=CANCEL_SECONDS)
        for number in cancelled:
            self._in_flight.pop(number, None)
        self._progress.set()
        await self._draining.wait_or_cancel(max(deadline, time.monotonic()) + SETTLE_SECONDS)
        if self._unsettled:  # leases decide about what nobody heard of
            log.error("delivery.unsettled", sink=self._name, deliveries=self._unsettled.ids())
