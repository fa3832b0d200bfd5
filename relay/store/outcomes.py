"""What came of the attempts of a sink, or of an account's look-ups, lately. The scripts that settle count it."""

from collections.abc import Mapping
from typing import Final

from relay.model import Record
from relay.store.fields import OutcomeField

SLOT_MS: Final = 5 * 60_000
SLOTS: Final = 12  # an hour
MIN_FAILURES: Final = 3  # in a row: fewer may be about single events
HIGH_SHARE: Final = 0.2  # of attempts that fail
_MIN_ATTEMPTS: Final = 10  # for a share to mean anything


class Outcomes(Record):
    """The attempts of the last hour, and the failures in a row. Times are epoch milliseconds."""

    attempts: int = 0
    failed: int = 0
    row: int = 0  # failures since anything was delivered, however long ago
    row_since: int | None = None  # the first of them
    high_since: int | None = None  # since when the share of failures has been high, to five minutes

    @property
    def share(self) -> float:
        """Return the share of attempts that failed, from 0 to 1."""
        return self.failed / self.attempts if self.attempts else 0.0

    @property
    def high(self) -> bool:
        """Return whether a share of the attempts fails that needs a look."""
        return self.attempts >= _MIN_ATTEMPTS and self.share >= HIGH_SHARE

    def failing_since(self, *, pending: bool) -> int | None:
        """Return since when nothing is delivered that is tried; None where that is not so, or nobody tries any more.

        `pending`: there is something that will be tried.
        """
        tries = pending or self.failed > 0
        return self.row_since if tries and self.row >= MIN_FAILURES else None

    def plus(self, other: "Outcomes") -> "Outcomes":
        """Return what came of the attempts in two shards: it fails as a whole only where it fails in both."""
        row_since = [one.row_since for one in (self, other) if one.row_since is not None]
        both = all(one.row or not one.attempts for one in (self, other))
        high_since = [one.high_since for one in (self, other) if one.high_since is not None]
        return Outcomes(
            attempts=self.attempts + other.attempts,
            failed=self.failed + other.failed,
            row=self.row + other.row if both else 0,
            row_since=min(row_since) if row_since and both else None,
            high_since=max(high_since) if high_since else None,
        )


def read_outcomes(fields: Mapping[bytes, bytes], now: int) -> Outcomes:
    """Return what a hash of outcomes says at a time."""
    if not fields:
        return Outcomes()
    text = {name.decode(): int(value) for name, value in fields.items()}
    newest = now // SLOT_MS
    slots = range(newest, newest - SLOTS, -1)
    failed = {slot: text.get(f"{OutcomeField.FAILED}{slot}", 0) for slot in slots}
    attempts = {slot: failed[slot] + text.get(f"{OutcomeField.GOOD}{slot}", 0) for slot in slots}
    return Outcomes(
        attempts=sum(attempts.values()),
        failed=sum(failed.values()),
        row=text.get(OutcomeField.ROW, 0),
        row_since=text.get(OutcomeField.SINCE),
        high_since=_high_since(attempts, failed),
    )


def _high_since(attempts: Mapping[int, int], failed: Mapping[int, int]) -> int | None:
    """Return the start of the first slot of those, newest first, in which the share of failures was high throughout."""
    first = None
    for slot, count in attempts.items():
        if count and failed[slot] / count < HIGH_SHARE:
            break
        first = slot if count else first
    return None if first is None else first * SLOT_MS
