"""Drain one sink: claim deliveries, attempt them, decide by the result, settle.

Everything runs on the loop. Results are settled together with those that finished while the store was busy, and the
same call claims for the slots that became free. That is all the batching there is; no timer delays a result. Until then
what was claimed ahead begins in these slots (`workers.sink_slots`).
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence

from relay.live_config import LiveConfig
from relay.logs import log
from relay.model import Breaker, Delivery
from relay.sinks.base import Sink
from relay.sinks.tools import Tools
from relay.store.parts import CALL_ITEMS
from relay.store.records import Claim, Settlement
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from relay.store.wire.claims import ClaimRequest
from relay.tracing.tracer import Tracer
from workers.borrowing import Borrowing
from workers.claim_tokens import ClaimTokens
from workers.hand import Hand
from workers.prepared_claim import ClaimsElsewhere, PreparedClaim, prepare_claim
from workers.single_flight import SingleFlight
from workers.sink_attempts import SinkAttempts
from workers.sink_calls import SinkCalls
from workers.sink_slots import SinkSlots
from workers.unsettled import Unsettled

CLOSED_HAND_MS = 100  # until it is looked again whether more may be claimed
SETTLE_TICKS = 3  # loop ticks from an answer's arrival to its settlement: what arrives meanwhile is settled with it
SETTLE_SECONDS = 6.0  # for what finished, when the worker stops while the store is away
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0  # before the store is asked again
SHORT_WAIT_MS = 2000  # for so short a wait the drainer stays, instead of ending and being started again


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
        self._live = live
        self._store = store
        self._borrowing = borrowing  # where the home of the sink is another shard
        self._queue = borrowing or store
        self._stopping = stopping
        self._draining = SingleFlight(self._drain, "sink", sink=sink)
        self._progress = asyncio.Event()
        self._tokens = ClaimTokens(worker)
        self._elsewhere = ClaimsElsewhere()
        self._claim_at = math.inf  # when more may be claimed, monotonic seconds
        self._hand = hand or Hand()
        self._slots = SinkSlots(self._hand)
        self._unsettled = Unsettled(sink, self._queue, self._slots)
        self._attempts = SinkAttempts(sink, live, store, tools, worker, tracer or Tracer(), self._unsettled)
        self._calls = SinkCalls(self._attempts.attempt, self._slots, self._hand, stopping, self._note_call_ended)

    @property
    def _idle(self) -> bool:
        """Return whether there is nothing to do but to claim."""
        return not (self._calls or self._unsettled or self._slots.holds_ahead)

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
            self._calls.cancel_overdue()
            for _ in range(SETTLE_TICKS if self._calls else 0):
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
        at = min([self._claim_at, self._slots.back_at, *self._calls.deadlines()])
        wait = max(at - time.monotonic(), 0)
        timer = None if at == math.inf else asyncio.get_running_loop().call_later(wait, self._progress.set)
        await self._progress.wait()
        if timer is not None:
            timer.cancel()

    async def _settle_and_claim(self) -> None:
        """Settle what finished and start what may be sent; note when more may be."""
        self._claim_at = math.inf  # a bell that rings meanwhile makes it earlier
        sink = await self._live.find_sink(self._name, self._store.subscriptions)
        await self._unsettled.settle_unwritten(None if sink is None else sink.breaker)
        finished, counts = self._attempts.take_finished()
        try:
            wait_ms = await self._call_store(sink, finished, counts)
        except BaseException as error:
            # What the store claimed in a call whose answer was lost is given back by the next claim.
            self._unsettled.keep(finished, counts, str(error))
            raise
        if wait_ms >= 0:
            self._claim_within(wait_ms)

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
        busy = len(self._calls) + self._unsettled.unwritten
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
        if claim.items:
            sink = prepared.sink
            self._calls.begin(claim, sink, self._attempts.tools_of(sink), prepared.deadline)
        else:
            self._calls.begin_ahead()
        return True

    def _note_call_ended(self) -> None:
        self._claim_within(0)
        self._progress.set()

    async def finish(self, deadline: float) -> None:
        """Let the attempts in flight end, cancel the rest at `deadline` (monotonic seconds), and settle.

        What was claimed ahead is given back at once.
        """
        self._slots.take_back(everything=True)
        self._progress.set()
        await self._elsewhere.wait(deadline - time.monotonic())  # the answers may bring attempts
        await self._calls.finish(deadline)
        self._progress.set()
        await self._draining.wait_or_cancel(max(deadline, time.monotonic()) + SETTLE_SECONDS)
        if self._unsettled:  # leases decide about what nobody heard of
            log.error("delivery.unsettled", sink=self._name, deliveries=self._unsettled.ids())
