"""Arguments and results of the store that only its callers know; the rest are records of `relay.model`."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from relay.model import Decision, Delivery, Outcome, Receipt, Record

T = TypeVar("T")
HANDED = "handed"
"""In place of the token of a claim, for receipts that were handed over."""
SUSPECT_AFTER = 2
"""So many deaths make a suspect: it is claimed alone, and worked at when its worker has nothing else in hand."""
DUPLICATE_MS = 2 * 3600 * 1000
"""In which the same bytes may be the repetition of a hook: amoCRM repeats one for about 95 minutes."""


class Hook(Record):
    """A POST that the ingress wants stored."""

    id: str
    source: str
    digest: str  # of the body, inflated, for the duplicate rule
    timed: bool  # the body carries a change time
    request_id: str
    content_type: str
    user_agent: str
    content_encoding: str = ""
    body: bytes = b""  # as it arrived
    recovered: bool = False  # amoCRM never delivered it: made from what the account remembers
    trace: str = ""  # what its trace goes on from, as W3C's `traceparent`


class LateAnswer(Record, array_like=True):
    """A hook that amoCRM sends again, though it was stored: its answer left too late, or nobody knows whether it did.

    Only where nobody knows, `source` and `digest` find the receipt of which it was a duplicate.
    """

    id: str  # of the receipt, or of the hook
    source: str = ""
    digest: str = ""


class Accepted(Record):
    """What became of a group of hooks."""

    bell_set: bool  # this call set the inbox's bell: publish it
    answers: list[tuple[str, bool]]  # for each hook the receipt's id, and whether it is a duplicate of that one
    # The id is empty where the hook's source belongs to another shard: it was not stored.
    missing: Sequence[str] = ()  # of the late answers: those that the store does not know


class Claim(Record, Generic[T]):
    """What may be worked on now, under `token`."""

    token: str
    items: list[T]
    poisoned: list[str]  # given up now: they killed their worker five times
    wait_ms: int  # until more may be taken; -1: nothing to wait for
    batched: bool = False  # the items are for one call
    subscriptions_version: int = 0  # as receipts were claimed
    ahead: int = 0  # so many of the items, the last ones, are claimed ahead of a slot
    recalled: bool = False  # nothing that was claimed ahead is to begin


class Handed(Record):
    """Receipts that the store handed over as it stored them: for half a second they are nobody else's."""

    receipts: Sequence[Receipt]
    subscriptions_version: int
    store_ms: int  # the store's time


class Settlement(Record):
    """What an attempt came to, and what is to be done."""

    delivery: Delivery
    outcome: Outcome
    decision: Decision
    attempt: bytes  # as JSON, for the story
    counted: bool = True  # by the breaker: of the deliveries of one call only the first is
    is_followed: bool = False  # some route has `on: delivered` for its route


class DeadRules(Record):
    """How many receipts with a dead letter are kept at most, and how the audit calls the rules by which others go."""

    count: int
    age_rule: str = "too old"
    count_rule: str = "too many"


class Retired(Record, array_like=True):
    """What a call of retention did."""

    removed: int  # receipts
    more: bool  # there is more to remove now
    damaged: Sequence[str] = ()  # receipts of which not all could be read; what could be found of them is removed

    def plus(self, other: "Retired") -> "Retired":
        """Return what both calls did."""
        return Retired(
            removed=self.removed + other.removed,
            more=self.more or other.more,
            damaged=(*self.damaged, *other.damaged),
        )


class LiveWorker(Record):
    """A worker that lives: which version of the relay it is (None: it does not say), and when it was last seen."""

    name: str
    version: str | None
    seen_at: int


class Stall(Record):
    """A part of a worker that stood still, so that the worker was ended. `at`: epoch milliseconds."""

    at: int
    part: str
    worker: str


class Job(Record):
    """A piece of background work, as a worker holds it."""

    id: str
    kind: str
    args: bytes
    token: str
