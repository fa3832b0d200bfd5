"""Put a delivery's story on a line: what happened from its hook's arrival on, each with its time. Pure."""

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec.structs import replace

from relay.model import Attempt, DecisionKind, DeliveryState, Outcome, Record
from relay.operations.story import DeliveryStory
from relay.store.stored import StoredDelivery, StoredReceipt


class TimelineStep(Record):
    """A step on the line. `took_ms`: how long it took, where that is known; `attempt`: which one it is."""

    kind: Literal["arrived", "routed", "attempt", "act", "ended", "waits"]
    at: int | None
    since_ms: int | None = None  # since the step before
    took_ms: int | None = None
    state: str = ""  # an outcome, or a delivery's state
    reason: str = ""
    attempt: Attempt | None = None
    superseded_by: str = ""  # the newer delivery of its `latest` key


def make_timeline(receipt: StoredReceipt, story: DeliveryStory) -> list[TimelineStep]:
    """Return the steps of a delivery, oldest first."""
    return _with_distances([*_steps(receipt, story)])


def _steps(receipt: StoredReceipt, story: DeliveryStory) -> Iterator[TimelineStep]:
    delivery = story.delivery
    yield TimelineStep(kind="arrived", at=receipt.received_at)
    yield TimelineStep(kind="routed", at=delivery.created_at)
    for attempt in story.attempts:
        if attempt.number == 0:  # a person's decision
            yield TimelineStep(kind="act", at=attempt.at, reason=attempt.reason)
        else:
            yield TimelineStep(
                kind="attempt", at=attempt.at, took_ms=attempt.took_ms, state=attempt.outcome, reason=attempt.reason,
                attempt=attempt,
            )  # fmt: skip
    if not _is_last_attempt(delivery, story.attempts):
        ended = delivery.state not in (DeliveryState.PENDING, DeliveryState.PUT_OFF)
        yield TimelineStep(
            kind="ended" if ended else "waits", at=delivery.finished_at if ended else None, state=delivery.state,
            reason=delivery.reason, superseded_by=delivery.superseded_by,
        )  # fmt: skip


def _is_last_attempt(delivery: StoredDelivery, attempts: Sequence[Attempt]) -> bool:
    """Return whether the last attempt delivered it, and nothing is to be said besides."""
    last = attempts[-1] if attempts else None
    delivered = last is not None and last.decision is DecisionKind.SETTLE and last.outcome is Outcome.DELIVERED
    return delivered and delivery.state is DeliveryState.DELIVERED


def _with_distances(steps: Sequence[TimelineStep]) -> list[TimelineStep]:
    found: list[TimelineStep] = []
    before: int | None = None
    for step in steps:
        since = step.at - before if step.at is not None and before is not None else None
        found.append(replace(step, since_ms=None if since is None else max(since, 0)))
        before = step.at if step.at is not None else before
    return found
