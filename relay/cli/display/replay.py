"""Format what a replay would do, and did. Pure."""

from collections.abc import Iterator
from typing import Final

from relay.operations.replay import Fate
from relay.operations.replaying import ReplayCount

_PLANNED: Final = {
    Fate.NEW: "new",
    Fate.AGAIN: "rendered anew: they had ended, and leave under a new key",
}
_LEFT_ALONE: Final = {
    Fate.DELIVERED: "delivered already: left alone (--force delivers them once more)",
    Fate.PENDING: "pending: left alone",
    Fate.HELD: "held: left alone, a person must decide",
    Fate.CANCELLED: "cancelled: left alone (--force delivers them)",
    Fate.TAKEN: "not made: another event has used their `once` key",
    Fate.SHADOWED: "shadowed: their route is only tried out",
    Fate.UNSENDABLE: "not made: today's routes cannot render them either",
}
_PROBLEMS: Final = {
    "gone": "not there: retention or an erasure has removed them",
    "erased": "erased: a person was taken out of them, and nothing of that is sent",
    "waits": "not routed yet: a worker does that first",
    "moved": "not made: their source has moved to another shard; what was made of them can be sent again",
}


def format_planned(count: ReplayCount) -> Iterator[str]:
    """Format what a replay would do in lines."""
    yield from _format(count, "would be replayed" if count.receipts else "found: nothing to replay")


def format_done(count: ReplayCount) -> Iterator[str]:
    """Format what a replay did in lines."""
    yield from _format(count, "replayed")


def _format(count: ReplayCount, what: str) -> Iterator[str]:
    yield f"{count.receipts} hook(s) {what}"
    for problem, n in sorted(count.problems.items()):
        yield f"  {n:>6} {_PROBLEMS[problem]}"
    if count.receipts and not count.deliveries:
        yield "  today's routes make no deliveries of them"
    for fate, text in {**_PLANNED, **_LEFT_ALONE}.items():
        if number := count.deliveries.get(fate):
            yield f"  {number:>6} {'delivery is' if number == 1 else 'deliveries are'} {text}"
