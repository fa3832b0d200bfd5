"""Attempts are counted as they settle: the share that failed in the last hour, and since when all of them do."""

import pytest

from relay.model import Outcome
from relay.store.outcomes import SLOT_MS, SLOTS, Outcomes, read_outcomes
from tests.integration.store.shapes import settlement


@pytest.fixture
def outcomes(run, store, reader):
    """Read what came of a sink's attempts."""

    async def read() -> Outcomes:
        return read_outcomes(await store.client.hgetall(store.keys.outcomes("books")), await reader.now())

    return lambda: run(read())


@pytest.mark.parametrize(
    ("outcome", "counted", "failed"),
    [
        (Outcome.DELIVERED, 1, 0),
        (Outcome.RETRY, 1, 1),
        (Outcome.UNKNOWN, 1, 1),
        (Outcome.REJECTED, 1, 1),
        (Outcome.BLOCKED, 1, 1),
        (Outcome.THROTTLED, 0, 0),
        (Outcome.SKIPPED, 0, 0),
    ],
)
def test_each_outcome_counts_for_what_it_says_about_the_sink(given, outcomes, outcome, counted, failed):
    given.settled(given.leased(), outcome)
    assert (outcomes().attempts, outcomes().failed) == (counted, failed)


def test_failures_in_a_row_have_a_beginning_and_end_with_a_delivery(run, reader, given, outcomes):
    before = run(reader.now())
    for _ in range(3):
        given.settled(given.leased(), Outcome.REJECTED)
    since = outcomes().row_since
    assert outcomes().row == 3
    assert before <= since <= run(reader.now())
    given.settle(*[settlement(one, Outcome.DELIVERED) for one in given.claimed(2)])
    assert (outcomes().row, outcomes().row_since) == (0, None)
    assert (outcomes().attempts, outcomes().failed) == (5, 3)


def test_a_settle_that_is_repeated_counts_once(given, outcomes):
    item = settlement(given.leased(), Outcome.RETRY)
    assert given.settle(item) == given.settle(item) == ["settled"]
    assert outcomes().failed == 1


def test_what_is_kept_is_bounded_and_forgotten(run, store, given):
    """An hour of slots, and nothing of a sink that nobody has tried for a week."""
    key = store.keys.outcomes("books")
    given.settled(given.leased(), Outcome.REJECTED)
    (field,) = [name for name in run(store.client.hkeys(key)) if name.startswith(b"failed:")]
    slot = int(field.partition(b":")[2])
    run(store.client.hset(key, mapping={f"good:{old}": 1 for old in range(slot - 3 * SLOTS, slot)}))
    given.settled(given.leased(), Outcome.DELIVERED)
    slots = {int(name.partition(b":")[2]) for name in run(store.client.hkeys(key)) if b":" in name}
    assert len(slots) == SLOTS
    assert slots - {slot + 1} == set(range(max(slots) - SLOTS + 1, slot + 1))
    assert 0 < run(store.client.pttl(key)) <= 7 * 86_400_000


def test_only_the_last_hour_counts_and_a_high_share_has_a_beginning():
    now = 100 * SLOT_MS + 1
    fields = {b"failed:88": b"100", b"failed:89": b"9", b"good:89": b"91", b"good:96": b"8", b"failed:96": b"2",
              b"failed:99": b"5", b"good:100": b"5", b"failed:100": b"5"}  # fmt: skip
    found = read_outcomes(fields, now)
    assert (found.attempts, found.failed) == (125, 21)
    assert found.high_since == 96 * SLOT_MS
    assert read_outcomes({}, now) == Outcomes()
