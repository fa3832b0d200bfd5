"""Keep what attempts came to until the store has it: none of it is thrown away, whatever the store answers."""

from collections.abc import Mapping, Sequence

from relay.errors import StoreRefused
from relay.logs import log
from relay.model import Breaker, Record
from relay.store.parts import CALL_ITEMS
from relay.store.records import Settlement
from relay.store.store import Store
from workers.borrowing import Borrowing
from workers.sink_slots import SinkSlots


class _Unwritten(Record):
    item: Settlement
    counts: Mapping[str, int]


class Unsettled:
    """The results of a sink's attempts in a process that the store does not have yet."""

    def __init__(self, sink: str, store: Store | Borrowing, slots: SinkSlots) -> None:
        self._sink = sink
        self._store = store
        self._slots = slots
        self._finished: list[Settlement] = []
        self._unwritten: list[_Unwritten] = []

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._finished) + len(self._unwritten)

    @property
    def unwritten(self) -> int:
        """Return how many the store did not take so far."""
        return len(self._unwritten)

    def ids(self) -> list[str]:
        """Return the ids of their deliveries."""
        return [item.delivery.id for item in [*(one.item for one in self._unwritten), *self._finished]]

    def add(self, item: Settlement) -> None:
        """Add what an attempt came to."""
        self._finished.append(item)

    def take(self) -> list[Settlement]:
        """Take what one call settles. Whoever takes it settles it or keeps it."""
        finished, self._finished = self._finished[:CALL_ITEMS], self._finished[CALL_ITEMS:]
        return finished

    def keep(self, items: Sequence[Settlement], counts: Mapping[str, int], reason: str) -> None:
        """Keep what the store did not take, or did not say that it took."""
        if not items:
            return
        ids = [item.delivery.id for item in items]
        log.warning("delivery.unwritten", sink=self._sink, deliveries=ids, reason=reason)
        # The measurements of all of them are written with the first.
        self._unwritten += [_Unwritten(item=item, counts=counts if n == 0 else {}) for n, item in enumerate(items)]

    async def settle_unwritten(self, breaker: Breaker | None) -> None:
        """Settle what was kept, each by itself: one that the store refuses stays, and holds up no other.

        Raises StoreUnavailable, where the store is away, with all of them kept that are not settled.
        """
        for one in list(self._unwritten):
            try:
                begun = self._slots.begun_with([one.item])
                answers = await self._store.settle(self._sink, [one.item], one.counts, breaker, begun)
            except StoreRefused:
                continue
            self._unwritten.remove(one)
            self._slots.settled([one.item])
            self.log_late([one.item], answers)

    def log_late(self, items: Sequence[Settlement], answers: Sequence[str]) -> None:
        """Log the items that came too late to decide."""
        for item, answer in zip(items, answers, strict=True):
            if answer != "settled":
                log.warning("delivery.late", delivery_id=item.delivery.id, sink=self._sink, answer=answer)
