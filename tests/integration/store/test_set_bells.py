"""Ring finds the queues that are worth a look and have no bell on its way."""

import pytest

from relay.model import Outcome
from relay.store.keys import INBOX, JOBS, sink_queue

QUEUE = sink_queue("books")


@pytest.fixture
def ring(run, store):
    """Ring as the ticker does; give the queues, sorted."""
    return lambda: sorted(run(store.set_bells()))


@pytest.fixture
def silence(run, store):
    """Take bells away, as a worker that received them, or as time does."""
    return lambda *queues: [run(store.clear_bell(queue)) for queue in queues]


def test_nothing_to_do_rings_nothing(ring):
    assert ring() == []


def test_what_was_rung_when_it_came_is_not_rung_again(given, ring):
    given.accepted()
    assert ring() == []


def test_a_lost_bell_is_rung_again_once(given, ring, silence):
    given.accepted()
    silence(INBOX)
    assert ring() == [INBOX]
    assert ring() == []


def test_what_came_while_the_bell_was_lost_is_rung_for_too(run, store, given, ring, silence):
    """Who set that bell was told, so nobody sets one for what follows it."""
    given.accepted()
    silence(INBOX)
    given.accepted()
    assert run(store.client.exists(store.keys.bell(INBOX))) == 0
    assert ring() == [INBOX]
    assert len(run(store.claim_receipts("router", 9, 60_000)).items) == 2


def test_what_was_made_for_a_sink_without_a_bell_is_rung_for(given, ring):
    given.pending()
    assert ring() == [QUEUE]


def test_a_bell_falls_silent_by_itself(run, store, given):
    given.accepted()
    assert 0 < run(store.client.pttl(store.keys.bell(INBOX))) <= 5000


def test_every_kind_of_queue_is_rung(run, store, given, ring, silence):
    given.pending()
    given.pending(sink="ledger")
    given.accepted()
    run(store.enqueue_job("j1", "retention"))
    silence(INBOX, JOBS, QUEUE, sink_queue("ledger"))
    assert ring() == sorted([INBOX, JOBS, QUEUE, sink_queue("ledger")])


def test_an_empty_queue_is_left_alone(given, ring, silence):
    given.settled(given.leased(), Outcome.DELIVERED)
    silence(INBOX, QUEUE)
    assert ring() == []


def test_what_is_in_flight_needs_no_bell_until_its_lease_runs_out(given, ring, silence, until):
    given.leased(lease_ms=30)
    silence(INBOX, QUEUE)
    assert until(ring) == [QUEUE]
    assert given.claim("w2").items[0].deaths == 1


def test_a_retry_rings_when_it_is_due(given, ring, silence, until):
    delivery = given.leased()
    silence(INBOX, QUEUE)
    given.settled(delivery, Outcome.RETRY, delay_ms=60_000)
    assert ring() == []
    (other,) = given.claimed()
    silence(INBOX, QUEUE)
    given.settled(other, Outcome.RETRY, delay_ms=1)
    assert until(ring) == [QUEUE]


def test_a_gate_that_is_closed_rings_when_it_may_be_tried(given, ring, silence, until):
    first, _ = given.claimed(2, lease_ms=60_000)
    given.pending(2)
    given.settled(first, Outcome.BLOCKED, gate_ms=60_000, delay_ms=60_000)
    given.claim()  # finds it closed, and says when to look again
    silence(INBOX, QUEUE)
    assert ring() == []


def test_a_paused_queue_rings_nothing(run, store, given, ring, silence):
    given.pending()
    run(store.client.hset(store.keys.gate(QUEUE), "paused", 1))
    given.claim()
    silence(INBOX, QUEUE)
    assert ring() == []


def test_a_job_rings_at_its_time(run, store, ring, until):
    run(store.enqueue_job("later", "retention", delay_ms=60_000))
    assert ring() == []
    run(store.enqueue_job("soon", "retention", delay_ms=1))
    assert until(ring) == [JOBS]


def test_what_comes_sooner_moves_the_time_forward_and_nothing_moves_it_back(run, store):
    wake = lambda: run(store.client.zscore(store.keys.wake, JOBS))  # noqa: E731
    run(store.enqueue_job("j1", "retention", delay_ms=60_000))
    first = wake()
    run(store.enqueue_job("j2", "retention", delay_ms=90_000))
    assert wake() == first
    run(store.enqueue_job("j3", "retention", delay_ms=30_000))
    assert wake() < first
