"""The slots of a sink that a worker has, and what it has claimed ahead of them.

Where a call ends its slot is still taken in the store until it is settled. Meanwhile the next delivery begins in it, of
a few that were claimed ahead: so a sink that answers at once never waits for the store.
"""

import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from relay.model import Delivery
from relay.sinks.base import Sink
from relay.sinks.tools import Tools
from relay.store.parts import CALL_ITEMS
from relay.store.records import Settlement
from workers.hand import Hand

AHEAD_SECONDS: Final = 1.0  # after which what has not begun is given back


class SinkSlot:
    """A slot, and what has begun in it, one after another, and is not settled: with the deadlines of their leases.

    The store counts the first against the sink's concurrency. The others are ahead there until it is settled.
    """

    def __init__(self, delivery: Delivery, deadline: float) -> None:
        self.begun: list[tuple[Delivery, float]] = [(delivery, deadline)]
        self.since = time.monotonic()  # when the last of them began

    def remove(self, ids: set[str]) -> None:
        """Forget what is settled."""
        self.begun = [one for one in self.begun if one[0].id not in ids]


class Ahead(NamedTuple):
    """A delivery that was claimed ahead. Times are monotonic seconds."""

    delivery: Delivery
    sink: Sink
    tools: Tools
    deadline: float  # for its attempt
    until: float  # then it is given back


class SinkSlots:
    """What is claimed ahead is in the worker's hand until it is given back: a suspect waits for that."""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._slots: dict[str, SinkSlot] = {}  # by the ids of what has begun in them
        self._idle: deque[SinkSlot] = deque()  # those whose last call has ended
        self._ahead: deque[Ahead] = deque()
        self._took = 0.0  # seconds of the call that ended last
        self._back: list[Delivery] = []  # not to begin any more; the store does not know that yet

    @property
    def holds_ahead(self) -> bool:
        """Return whether anything is claimed ahead."""
        return bool(self._ahead or self._back)

    @property
    def back_at(self) -> float:
        """Return when the next one is to be given back, in monotonic seconds."""
        return 0.0 if self._back else self._ahead[0].until if self._ahead else math.inf

    def take(self, delivery: Delivery, deadline: float) -> SinkSlot:
        """Note that a delivery begins in a slot that it was claimed for."""
        slot = self._slots[delivery.id] = SinkSlot(delivery, deadline)
        return slot

    def free(self, slot: SinkSlot) -> None:
        """Note that the last call in a slot has ended, and will be settled."""
        self._took = time.monotonic() - slot.since
        if slot.begun:  # else an earlier lease of the same delivery was settled meanwhile, and nobody holds it here
            self._idle.append(slot)

    def lose(self, slot: SinkSlot, delivery: Delivery) -> None:
        """Note that a call has ended of which nothing will be settled: its lease is lost, and with it what it held."""
        slot.remove({delivery.id})
        self._slots.pop(delivery.id, None)
        if slot.begun:
            self._idle.append(slot)

    def add(self, deliveries: Sequence[Delivery], sink: Sink, tools: Tools, deadline: float) -> None:
        """Keep what was claimed ahead."""
        until = min(time.monotonic() + AHEAD_SECONDS, deadline - sink.lease_ms / 1000)  # then it cannot begin any more
        for delivery in deliveries:
            self._hand.add()
            self._ahead.append(Ahead(delivery, sink, tools, deadline, until))

    def begin(self, in_flight: int) -> tuple[Ahead, SinkSlot] | None:
        """Return what may begin now, and its slot; None: nothing. The caller starts its call, then calls `begun`.

        The lease that holds the slot in the store covers the whole attempt, so nobody else gets it before that ends.
        """
        if not self._ahead or not self._idle or in_flight >= self._ahead[0].sink.concurrency:
            return None
        ahead = self._ahead[0]
        now = time.monotonic()
        if now > ahead.until:
            return None
        slot = self._idle.popleft()
        if now + ahead.sink.lease_ms / 1000 > slot.begun[0][1]:
            return self.begin(in_flight)
        self._ahead.popleft()
        slot.begun.append((ahead.delivery, ahead.deadline))
        slot.since = now
        self._slots[ahead.delivery.id] = slot
        return ahead, slot

    def begun(self) -> None:
        """Note that the call of what `begin` returned is started: by itself it is in hand now."""
        self._hand.remove()

    def wanted(self, sink: Sink, ended: int, free: int) -> int:
        """Return how many to claim ahead: as many as ended since the last call.

        None where calls take so long that hardly a slot falls free before what is ahead must be given back.
        """
        if sink.limits or sink.batch > 1 or self._took > AHEAD_SECONDS * sink.concurrency / 2:
            return 0
        return max(min(ended, sink.concurrency - len(self._ahead), CALL_ITEMS - free), 0)

    def take_back(self, *, everything: bool) -> list[Delivery]:
        """Return what is to be given back: what has waited for too long, or everything that has not begun."""
        now = time.monotonic()
        while self._ahead and (everything or self._ahead[0].until <= now):
            self._back.append(self._ahead.popleft().delivery)
        return self._back[:CALL_ITEMS]

    def given_back(self, count: int) -> None:
        """Note that the store has so many of these again, the first ones."""
        del self._back[:count]
        for _ in range(count):
            self._hand.remove()

    def begun_with(self, items: Sequence[Settlement]) -> list[Delivery]:
        """Return what was claimed ahead and counts once these are settled: the next in each slot, or one of them.

        A slot of which all is settled by them is the store's again: nothing begins in it any more.
        """
        ids = {item.delivery.id for item in items}
        found = []
        for slot in {id(slot): slot for one in ids if (slot := self._slots.get(one))}.values():
            left = [delivery for delivery, _ in slot.begun if delivery.id not in ids]
            found += [delivery for delivery, _ in slot.begun[1:] if delivery.id in ids]
            if not left and slot in self._idle:
                self._idle.remove(slot)
            elif left and left[0] is not slot.begun[0][0]:
                found.append(left[0])
        return found

    def settled(self, items: Sequence[Settlement]) -> None:
        """Note that the store has these results."""
        ids = {item.delivery.id for item in items}
        for one in ids:
            if slot := self._slots.pop(one, None):
                slot.remove(ids)
        self._idle = deque(slot for slot in self._idle if slot.begun)
