"""A look at the store finds the queues with work that nobody came to, and says what else a worker must know."""

import pytest

from relay import __version__
from relay.model import Outcome
from relay.store.keys import INBOX, JOBS, sink_queue
from tests.integration.store.reference.clock import control_time, set_time

QUEUE = sink_queue("books")


@pytest.fixture
def look(run, store):
    """Look as the ticker does. Returns the queues that it begins, sorted."""
    return lambda: sorted(run(store.look("w1")).queues)


@pytest.fixture
def clear_bells(run, store):
    """Clear bells as a worker that received them, or as their time to live does."""
    return lambda *queues: [run(store.clear_bell(queue)) for queue in queues]


@pytest.fixture
def frozen(run, store):
    """Stop the clock of the store's scripts."""
    seconds, microseconds = run(store.client.time())
    run(control_time(store, seconds * 1000 + microseconds // 1000))
    return lambda ms: run(set_time(store, seconds * 1000 + microseconds // 1000 + ms))


def test_nothing_to_do_begins_nothing(look):
    assert look() == []


def test_to_what_has_just_arrived_a_bell_calls_somebody(frozen, given, look):
    given.accepted()
    assert look() == []


def test_what_no_bell_is_set_for_is_left_to_the_first_who_looks_and_to_others_if_he_does_not_take_it(
    frozen, given, look, clear_bells
):
    given.accepted()
    clear_bells(INBOX)
    assert look() == [INBOX]
    assert look() == []
    frozen(500)
    assert look() == [INBOX]


def test_what_has_waited_for_a_while_is_found_whether_a_bell_is_set_or_not(run, store, given):
    """Celery's broker may have lost the message."""
    given.accepted()
    run(store.client.zincrby(store.keys.wake, -600, INBOX))
    for _ in range(2):
        found = run(store.look("w1"))
        assert (found.queues, found.unanswered) == ([INBOX], True)


def test_a_bell_that_was_set_just_now_is_not_unanswered(run, store, given, frozen, clear_bells):
    given.accepted()
    assert not run(store.look("w1")).unanswered
    frozen(500)
    assert run(store.look("w1")).unanswered
    clear_bells(INBOX)
    assert not run(store.look("w1")).unanswered


def test_what_arrived_while_the_bell_was_lost_is_found_too(run, store, given, look, clear_bells):
    """The first arrival set the bell, so the second did not: the queue had work already."""
    given.accepted()
    clear_bells(INBOX)
    given.accepted()
    assert run(store.client.exists(store.keys.bell(INBOX))) == 0
    assert look() == [INBOX]
    assert len(run(store.claim_receipts("router", 9, 60_000)).items) == 2


def test_a_delivery_that_was_made_without_a_bell_is_found(given, look):
    given.pending()
    assert look() == [QUEUE]


def test_a_bell_has_a_time_to_live(run, store, given):
    given.accepted()
    assert 0 < run(store.client.pttl(store.keys.bell(INBOX))) <= 5000


def test_every_kind_of_queue_is_found(run, store, given, look, clear_bells):
    given.pending()
    given.pending(sink="ledger")
    given.accepted()
    run(store.enqueue_job("j1", "retention"))
    clear_bells(INBOX, JOBS, QUEUE, sink_queue("ledger"))
    assert look() == sorted([INBOX, JOBS, QUEUE, sink_queue("ledger")])


def test_an_empty_queue_is_left_alone(given, look, clear_bells):
    given.settled(given.leased(), Outcome.DELIVERED)
    clear_bells(INBOX, QUEUE)
    assert look() == []


def test_what_is_in_flight_is_left_alone_until_its_lease_runs_out(given, look, clear_bells, until):
    given.leased(lease_ms=30)
    clear_bells(INBOX, QUEUE)
    assert until(look) == [QUEUE]
    assert given.claim("w2").items[0].deaths == 1


def test_a_retry_is_found_when_it_is_due(given, look, clear_bells, until):
    delivery = given.leased()
    clear_bells(INBOX, QUEUE)
    given.settled(delivery, Outcome.RETRY, delay_ms=60_000)
    assert look() == []
    (other,) = given.claimed()
    clear_bells(INBOX, QUEUE)
    given.settled(other, Outcome.RETRY, delay_ms=1)
    assert until(look) == [QUEUE]


def test_a_queue_whose_gate_is_closed_is_found_when_it_may_be_tried(given, look, clear_bells, until):
    first, _ = given.claimed(2, lease_ms=60_000)
    given.pending(2)
    given.settled(first, Outcome.BLOCKED, gate_ms=60_000, delay_ms=60_000, gate_sure=True)
    given.claim()  # finds it closed, and says when to look again
    clear_bells(INBOX, QUEUE)
    assert look() == []


def test_a_paused_queue_is_left_alone(run, store, given, look, clear_bells):
    given.pending()
    run(store.client.hset(store.keys.gate(QUEUE), "paused", 1))
    given.claim()
    clear_bells(INBOX, QUEUE)
    assert look() == []


def test_a_job_is_found_at_its_time(run, store, look, until):
    run(store.enqueue_job("later", "retention", delay_ms=60_000))
    assert look() == []
    run(store.enqueue_job("soon", "retention", delay_ms=1))
    assert until(look) == [JOBS]


def test_what_comes_sooner_moves_the_time_forward_and_nothing_moves_it_back(run, store):
    wake = lambda: run(store.client.zscore(store.keys.wake, JOBS))  # noqa: E731
    run(store.enqueue_job("j1", "retention", delay_ms=60_000))
    first = wake()
    run(store.enqueue_job("j2", "retention", delay_ms=90_000))
    assert wake() == first
    run(store.enqueue_job("j3", "retention", delay_ms=30_000))
    assert wake() < first


def test_a_look_says_how_long_there_is_nothing_to_do(run, store, given):
    assert run(store.look("w1")).wait_ms == -1
    run(store.enqueue_job("later", "retention", delay_ms=60_000))
    assert 50_000 < run(store.look("w1")).wait_ms <= 60_000
    given.accepted()
    assert [run(store.look("w1")).wait_ms for _ in range(2)] == [0, 0]


def test_a_look_names_the_workers_that_were_not_seen(run, store):
    run(store.look("w1"))
    assert run(store.look("w2", silent_ms=60_000)).silent == []
    run(store.client.zincrby(store.keys.workers, -90_000, "w1"))
    ((name, ms),) = run(store.look("w2", silent_ms=60_000)).silent
    assert name == "w1"
    assert ms >= 90_000


def test_a_look_says_which_version_the_worker_is(run, store, reader):
    run(store.look("w1"))
    older = {"w0": run(store.client.zscore(store.keys.workers, "w1"))}
    run(store.client.zadd(store.keys.workers, older))  # as one of an earlier release writes it
    assert [(one.name, one.version) for one in run(reader.live_workers())] == [("w0", None), ("w1", __version__)]
    assert [one.seen_at for one in run(reader.live_workers())] == [int(older["w0"])] * 2


def test_the_versions_of_workers_that_are_gone_are_forgotten(run, store, reader):
    for name in ("w1", "w2", "w3"):
        run(store.look(name))
    run(store.forget_worker("w2"))
    run(store.client.zincrby(store.keys.workers, -2 * 3_600_000, "w3"))
    run(store.look("w1"))
    assert run(store.client.hkeys(store.keys.versions)) == [b"w1"]
    assert [one.name for one in run(reader.live_workers())] == ["w1"]


def test_a_version_is_written_once(run, store):
    """A worker looks twice a second: what it is costs no write."""
    run(store.look("w1"))
    before = run(store.client.info("commandstats"))["cmdstat_hset"]["calls"]
    for _ in range(3):
        run(store.look("w1"))
    assert run(store.client.info("commandstats"))["cmdstat_hset"]["calls"] == before


class TestLife:
    """Since when a store is in use, and whether it was emptied."""

    def test_the_first_look_at_an_empty_store_says_so(self, run, store):
        first, second = run(store.look("w1")), run(store.look("w2"))
        assert (first.empty, second.empty) == (True, False)
        assert first.since == second.since > 0

    def test_a_store_of_an_earlier_release_is_in_use_since_its_oldest_hook(self, run, store, given):
        (receipt,) = given.accepted()
        found = run(store.look("w1"))
        assert not found.empty
        assert found.since == run(store.client.zscore(store.keys.receipts, receipt))

    def test_one_that_was_emptied_begins_anew_and_remembers_it(self, run, store, reader):
        before = run(store.look("w1")).since
        assert run(reader.life()).emptied_at is None
        run(store.client.delete(*run(store.client.keys(store.keys.prefix + "*"))))
        after = run(store.look("w1", since=before))
        assert after.empty
        life = run(reader.life())
        assert life.since == life.emptied_at == after.since
