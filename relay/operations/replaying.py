"""Write what a replay has planned: receipt by receipt, each harmless to repeat."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from relay.config.config import Config
from relay.model import NewDelivery, Record
from relay.operations.replay import Fate, ReplayedReceipt
from relay.store.acts import Author
from relay.store.keys import account_queue, sink_queue
from relay.store.parts import split_receipt
from relay.store.store import Store


class ReplayCount(Record):
    """What a replay would do, or did: receipts, what cannot be replayed by why, deliveries by what becomes of them."""

    receipts: int
    problems: dict[str, int]
    deliveries: dict[str, int]

    @property
    def writes(self) -> bool:
        """Return whether there is anything to write: also that a hook can be read now has no delivery."""
        return self.receipts > sum(self.problems.values())

    def plus(self, other: "ReplayCount") -> "ReplayCount":
        """Return the sum of both."""
        return ReplayCount(
            receipts=self.receipts + other.receipts,
            problems=dict(Counter(self.problems) + Counter(other.problems)),
            deliveries=dict(Counter(self.deliveries) + Counter(other.deliveries)),
        )


PROBLEMS: Final = ("gone", "waits", "erased", "moved")
"""Why a receipt cannot be replayed: `ReplayedReceipt.problem`."""

NOTHING = ReplayCount(receipts=0, problems={}, deliveries={})


def count_planned(planned: Sequence[ReplayedReceipt]) -> ReplayCount:
    """Count what replays would do."""
    return ReplayCount(
        receipts=len(planned),
        problems=dict(Counter(one.problem for one in planned if one.problem)),
        deliveries=dict(Counter(str(fate) for one in planned for _, fate in one.deliveries)),
    )


async def write_replay(
    store: Store, config: Config, planned: ReplayedReceipt, author: Author, *, force: bool
) -> ReplayCount:
    """Write a planned replay. Returns what was done: an act may have come between. Raises StoreUnavailable."""
    if planned.part is None:
        return count_planned([planned])
    fates: Counter[str] = Counter()
    for delivery, fate in planned.deliveries:
        if fate is Fate.AGAIN:
            source = planned.part.receipt.source
            fates[await _render(store, config, source, delivery, author, force=force)] += 1
        elif fate is not Fate.NEW:
            fates[fate] += 1
    new = sum(fate is Fate.NEW for _, fate in planned.deliveries)
    for part in split_receipt(planned.part):
        answer = await store.acts.replay(part, author)
        if answer.code != "done":
            return ReplayCount(receipts=1, problems={answer.code: 1}, deliveries=dict(fates))
        fates[Fate.NEW] += answer.made
        new -= answer.made
    fates[Fate.DELIVERED] += max(new, 0)  # somebody else made them meanwhile
    return ReplayCount(receipts=1, problems={}, deliveries={fate: n for fate, n in fates.items() if n})


async def _render(
    store: Store, config: Config, source: str, delivery: NewDelivery, author: Author, *, force: bool
) -> Fate:
    queue = account_queue(source) if delivery.needs_lookup else sink_queue(delivery.sink)
    author = replace(author, noted=Fate.AGAIN)
    answer = await store.acts.render(delivery.id, author, delivery, queue, config.version, force=force)
    if answer.code == "done":
        return Fate.AGAIN
    return Fate(answer.before) if answer.before in set(Fate) else Fate.UNSENDABLE
