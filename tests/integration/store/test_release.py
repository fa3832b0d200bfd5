"""Release gives back what a worker that stops has claimed and not begun."""

import pytest

from relay.store.keys import INBOX, JOBS, sink_queue

QUEUE = sink_queue("books")


@pytest.fixture
def release(run, store):
    """Give deliveries back."""
    return lambda token, *ids: run(store.release(QUEUE, "d", token, ids))


def test_it_is_due_at_once_and_no_death_is_counted(given, release, look):
    delivery = given.leased(token="w1")
    assert release("w1", delivery.id) == 1
    (again,) = given.claim("w2").items
    assert (again.id, again.deaths, again.attempts) == (delivery.id, 0, 0)
    assert look(delivery.id).in_flight


def test_only_what_the_token_holds_is_given_back(given, release, look):
    mine = given.leased(token="w1")
    theirs = given.leased(token="w2")
    assert release("w1", mine.id, theirs.id, "gone") == 1
    assert (look(mine.id).in_flight, look(theirs.id).in_flight) == (False, True)


def test_saying_it_again_is_harmless(given, release):
    delivery = given.leased(token="w1")
    assert release("w1", delivery.id) == 1
    assert release("w1", delivery.id) == 0


def test_a_lease_that_ran_out_and_was_taken_is_another_s(given, release, until):
    old = given.leased(token="w1", lease_ms=1)
    until(lambda: given.claim("w2").items)
    assert release("w1", old.id) == 0


def test_what_follows_is_found_by_the_ticker(run, store, given, release):
    delivery = given.leased(token="w1")
    run(store.silence(QUEUE))
    release("w1", delivery.id)
    assert QUEUE in run(store.ring())


def test_receipts_and_jobs_alike(run, store, given):
    (receipt,) = given.taken()
    run(store.enqueue("j1", "retention"))
    run(store.claim_jobs("w1", 1, 60_000))
    assert run(store.release(INBOX, "r", "router", [receipt.id])) == 1
    assert run(store.release(JOBS, "j", "w1", ["j1"])) == 1
    assert [r.id for r in run(store.claim_receipts("w2", 9, 60_000)).items] == [receipt.id]
    assert [j.id for j in run(store.claim_jobs("w2", 9, 60_000)).items] == ["j1"]
