"""What a worker had that is gone is taken back before its leases run out; what may have left only if it has ended."""

import pytest

from relay.store.keys import INBOX, JOBS, account_queue, sink_queue

HOUR = 3_600_000
GONE, OTHER = "host:1:aa", "host:1:aab"  # the name of one begins as the other's


@pytest.fixture
def held(run, store, given):
    """Let two workers hold something of every kind."""
    for worker in (GONE, OTHER):
        given.pending()
        given.pending(sink="ledger")
        assert given.claim(f"{worker}:1", lease_ms=HOUR).items
        assert given.claim(f"{worker}:2", sink="ledger", lease_ms=HOUR).items
        run(store.enqueue_job(worker, "retention"))
        assert run(store.claim_jobs(f"{worker}:j1", 1, HOUR)).items
        given.accepted()
        assert run(store.claim_receipts(f"{worker}:r1", 9, HOUR)).items


def over(run, store, queue: str) -> tuple[int, int]:
    """Count leases that have run out, and those that have not."""
    now = run(store.client.time())[0] * 1000 + 1000
    leases = [score for _, score in run(store.client.zrange(store.keys.leased(queue), 0, -1, withscores=True))]
    return sum(score <= now for score in leases), sum(score > now for score in leases)


QUEUES = [INBOX, JOBS, sink_queue("books"), sink_queue("ledger")]


def test_all_of_one_that_has_ended_is_taken_back_at_once(run, store, held):
    assert run(store.end_leases(GONE, sending=True)) == 4
    assert {queue: over(run, store, queue) for queue in QUEUES} == dict.fromkeys(QUEUES, (1, 1))
    assert set(run(store.look(OTHER)).queues) >= set(QUEUES) - {INBOX}  # whose bell is set
    assert run(store.claim_receipts("w2:r1", 9, HOUR)).items[0].deaths == 1
    assert run(store.end_leases(GONE, sending=True)) == 3  # what is taken by another is not its own any more


def test_of_one_that_may_only_be_stopped_what_it_sends_waits_for_its_leases(run, store, held):
    assert run(store.end_leases(GONE, sending=False)) == 2
    assert over(run, store, INBOX) == over(run, store, JOBS) == (1, 1)
    assert over(run, store, sink_queue("books")) == over(run, store, sink_queue("ledger")) == (0, 2)


def test_look_ups_are_given_back(run, store, given):
    queue = account_queue("acme")
    given.waiting_for_lookups()
    assert run(store.claim_lookups(queue, f"{GONE}:f1", 9, HOUR)).items
    assert run(store.end_leases(GONE, sending=False)) == 1
    assert over(run, store, queue) == (1, 0)
