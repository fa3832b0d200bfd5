"""The calls to a sink that are in flight: each in a slot, or of a batch. Where one ends the next begins in its slot."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from relay.model import Delivery
from relay.sinks.base import Sink
from relay.sinks.tools import Tools
from relay.store.records import SUSPECT_AFTER, Claim
from workers.attempts import OVERDUE, AttemptResult
from workers.hand import ALONE_SECONDS, Hand
from workers.single_flight import CANCEL_SECONDS
from workers.sink_slots import SinkSlot, SinkSlots


class _Call:
    """A call in flight."""

    def __init__(self, deadline: float, task: asyncio.Task[None], slot: SinkSlot | None, first: Delivery) -> None:
        self.deadline = deadline  # monotonic seconds
        self.task = task
        self.slot = slot  # None: it is of a batch
        self.first = first


class SinkCalls:
    """Runs `attempt` in a task for each call. `note_end` is called when one has ended, after the next began."""

    def __init__(
        self,
        attempt: Callable[[Sequence[Delivery], Sink, Tools], Awaitable[Sequence[AttemptResult]]],
        slots: SinkSlots,
        hand: Hand,
        stopping: Callable[[], bool],
        note_end: Callable[[], None],
    ) -> None:
        self._attempt = attempt
        self._slots = slots
        self._hand = hand
        self._stopping = stopping
        self._note_ended = note_end
        self._in_flight: dict[int, _Call] = {}
        self._started = 0

    def __len__(self) -> int:
        """Return how many are in flight."""
        return len(self._in_flight)

    def deadlines(self) -> list[float]:
        """Return until when each must have ended, in monotonic seconds."""
        return [call.deadline for call in self._in_flight.values()]

    def begin(self, claim: Claim[Delivery], sink: Sink, tools: Tools, deadline: float) -> None:
        """Start calls for what was claimed; what was claimed ahead begins where calls have ended."""
        if claim.batched:
            self._start(claim.items, sink, tools, deadline, None)
            return
        in_slots = len(claim.items) - claim.ahead
        for delivery in claim.items[:in_slots]:
            self._start([delivery], sink, tools, deadline, self._slots.take(delivery, deadline))
        self._slots.add(claim.items[in_slots:], sink, tools, deadline)
        self.begin_ahead()

    def begin_ahead(self) -> None:
        """Begin what was claimed ahead, where calls have ended."""
        while not self._stopping() and not self._hand.closed and (begun := self._slots.begin(len(self._in_flight))):
            ahead, slot = begun
            self._start([ahead.delivery], ahead.sink, ahead.tools, ahead.deadline, slot)
            self._slots.begun()

    def _start(
        self, deliveries: Sequence[Delivery], sink: Sink, tools: Tools, deadline: float, slot: SinkSlot | None
    ) -> None:
        self._started += 1
        suspect = max([delivery.deaths for delivery in deliveries]) >= SUSPECT_AFTER
        task = asyncio.create_task(self._attempt_held(self._started, deliveries, sink, tools, suspect))
        self._in_flight[self._started] = _Call(deadline + suspect * ALONE_SECONDS, task, slot, deliveries[0])
        # Not the attempt itself: one that is cancelled before it began never runs.
        task.add_done_callback(partial(self._note_end, self._started))

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
        self._end(number, settles=bool(results))

    def _note_end(self, number: int, _: asyncio.Task[None]) -> None:
        """Note the end of a call that never ran, or failed: there is nothing to settle."""
        self._end(number, settles=False)

    def _end(self, number: int, *, settles: bool) -> None:
        """Begin the next in its slot: in the tick in which its results are there, so before anything settles them."""
        call = self._in_flight.pop(number, None)
        if call is None:
            return
        if call.slot is not None:
            if settles:
                self._slots.free(call.slot)
            else:
                self._slots.lose(call.slot, call.first)
            self.begin_ahead()
        self._note_ended()

    def cancel_overdue(self) -> None:
        """Cancel attempts that are overdue: only a sink that does not keep its own timeout has any."""
        now = time.monotonic()
        for call in self._in_flight.values():
            if call.deadline <= now:
                call.task.cancel(OVERDUE)
                call.deadline = now + CANCEL_SECONDS  # where it has not ended by then, cancel it again

    async def finish(self, deadline: float) -> None:
        """Let those in flight end, and cancel the rest at `deadline` (monotonic seconds)."""
        if self._in_flight:
            await asyncio.wait(self._tasks(), timeout=max(deadline - time.monotonic(), 0))
        cancelled = dict(self._in_flight)  # as it is now: a claim that was on its way may have started more
        for call in cancelled.values():
            call.task.cancel()
        if cancelled:
            await asyncio.wait(self._tasks(), timeout=CANCEL_SECONDS)
        for number in cancelled:
            self._in_flight.pop(number, None)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [call.task for call in self._in_flight.values()]
