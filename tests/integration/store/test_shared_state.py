"""Notes: what sinks remember together."""

import pytest

from relay.model import Limit
from relay.store.shared_state import Quota, QuotaExceeded, SharedState
from relay.store.wire import sink_claim_request

HOUR = 3_600_000


@pytest.fixture
def shared(store, namespace):
    """Return the notes of the store."""
    return SharedState(store.client, namespace)


def test_a_note_is_there_until_its_time_or_its_removal(run, shared, until):
    run(shared.put("token", b"abc", HOUR))
    assert run(shared.get("token")) == b"abc"
    run(shared.put("token", b"new", 1))
    until(lambda: run(shared.get("token")) is None)
    run(shared.put("token", b"abc", HOUR))
    run(shared.delete("token"))
    assert run(shared.get("token")) is None


def test_a_lock_is_ones_own_until_it_is_given_back_or_runs_out(run, shared, until):
    assert run(shared.lock("refresh", "a", HOUR))
    assert not run(shared.lock("refresh", "b", HOUR))
    assert not run(shared.unlock("refresh", "b"))
    assert run(shared.unlock("refresh", "a"))
    assert run(shared.lock("refresh", "b", 1))
    until(lambda: run(shared.lock("refresh", "a", HOUR)))


def test_caps_are_spent_all_or_none(run, shared, reader):
    end = run(reader.now()) + HOUR
    day, number = Quota(key="day", amount=1, limit=2, until_ms=end), Quota(key="79…", amount=1, limit=1, until_ms=end)
    assert run(shared.spend_quotas([day, number])) is None
    refused = run(shared.spend_quotas([day, number]))
    assert isinstance(refused, QuotaExceeded)
    assert refused.key == "79…"
    assert 0 < refused.wait_ms <= HOUR
    assert run(shared.spend_quotas([day])) is None  # the refusal had spent nothing of the day
    assert run(shared.spend_quotas([day])).key == "day"


def test_a_cap_begins_anew_when_its_time_is_over(run, shared, reader, until):
    cap = Quota(key="day", amount=1, limit=1, until_ms=run(reader.now()) + 30)
    assert run(shared.spend_quotas([cap])) is None
    later = Quota(key="day", amount=1, limit=1, until_ms=cap.until_ms + HOUR)
    until(lambda: run(shared.spend_quotas([later])) is None)
    assert run(reader.now()) >= cap.until_ms


def test_a_further_call_takes_a_grant_of_every_limit_or_of_none(run, shared, store):
    wide, narrow = Limit(key="all", count=3, per_ms=HOUR), Limit(key="subscribe", count=1, per_ms=HOUR)
    assert run(shared.take_grant([wide, narrow])) == 0
    assert 0 < run(shared.take_grant([wide, narrow])) <= HOUR
    assert [run(shared.take_grant([wide])) for _ in range(2)] == [0, 0]
    assert run(shared.take_grant([wide])) > 0
    claim = run(store.claim_deliveries(sink_claim_request("books", "w1", 8, 60_000, 8, [wide])))
    assert claim.items == []
