"""Notes: what sinks remember together."""

import pytest

from relay.model import Limit
from relay.store.shared_state import Quota, QuotaExceeded, SharedState
from relay.store.wire import sink_claim_request

HOUR = 3_600_000


@pytest.fixture
def notes(store, namespace):
    """Return the notes of the store."""
    return SharedState(store.client, namespace)


def test_a_note_is_there_until_its_time_or_its_removal(run, notes, until):
    run(notes.put("token", b"abc", HOUR))
    assert run(notes.get("token")) == b"abc"
    run(notes.put("token", b"new", 1))
    until(lambda: run(notes.get("token")) is None)
    run(notes.put("token", b"abc", HOUR))
    run(notes.delete("token"))
    assert run(notes.get("token")) is None


def test_a_lock_is_ones_own_until_it_is_given_back_or_runs_out(run, notes, until):
    assert run(notes.lock("refresh", "a", HOUR))
    assert not run(notes.lock("refresh", "b", HOUR))
    assert not run(notes.unlock("refresh", "b"))
    assert run(notes.unlock("refresh", "a"))
    assert run(notes.lock("refresh", "b", 1))
    until(lambda: run(notes.lock("refresh", "a", HOUR)))


def test_caps_are_spent_all_or_none(run, notes, reader):
    end = run(reader.now()) + HOUR
    day, number = Quota(key="day", amount=1, limit=2, until_ms=end), Quota(key="79…", amount=1, limit=1, until_ms=end)
    assert run(notes.spend([day, number])) is None
    refused = run(notes.spend([day, number]))
    assert isinstance(refused, QuotaExceeded)
    assert refused.key == "79…"
    assert 0 < refused.wait_ms <= HOUR
    assert run(notes.spend([day])) is None  # the refusal had spent nothing of the day
    assert run(notes.spend([day])).key == "day"


def test_a_cap_begins_anew_when_its_time_is_over(run, notes, reader, until):
    cap = Quota(key="day", amount=1, limit=1, until_ms=run(reader.now()) + 30)
    assert run(notes.spend([cap])) is None
    later = Quota(key="day", amount=1, limit=1, until_ms=cap.until_ms + HOUR)
    until(lambda: run(notes.spend([later])) is None)
    assert run(reader.now()) >= cap.until_ms


def test_a_further_call_takes_a_grant_of_every_limit_or_of_none(run, notes, store):
    wide, narrow = Limit(key="all", count=3, per_ms=HOUR), Limit(key="subscribe", count=1, per_ms=HOUR)
    assert run(notes.grant([wide, narrow])) == 0
    assert 0 < run(notes.grant([wide, narrow])) <= HOUR
    assert [run(notes.grant([wide])) for _ in range(2)] == [0, 0]
    assert run(notes.grant([wide])) > 0
    claim = run(store.claim_deliveries(sink_claim_request("books", "w1", 8, 60_000, 8, [wide])))
    assert claim.items == []
