"""It is marked that bytes are about to leave, where a repeat may do harm."""

import pytest

from relay.model import Outcome
from relay.store.keys import sink_queue


@pytest.fixture
def mark(run, store):
    """Mark a delivery as being sent."""
    return lambda delivery: run(store.mark_sending([delivery])) == [True]


def test_who_holds_the_lease_may_send(mark, given):
    assert mark(given.leased())


def test_each_of_several_is_judged_for_itself(run, store, given, until):
    old = given.leased(lease_ms=1)
    until(lambda: given.claim("w2").items)
    first, last = given.leased(), given.leased()
    assert run(store.mark_sending([first, old, last])) == [True, False, True]


def test_saying_it_again_is_harmless(mark, given):
    delivery = given.leased()
    assert mark(delivery)
    assert mark(delivery)


def test_who_finds_the_mark_of_a_dead_attempt_is_told(mark, given, until):
    mark(given.leased(lease_ms=60_000))
    assert not given.leased(token="w2").sending  # another delivery is not meant


def test_the_mark_outlives_the_worker(run, store, mark, given, until):
    dying = given.leased()
    mark(dying)
    run(store.client.zadd(store.keys.leased(sink_queue("books")), {dying.id: 1}))  # as if its lease had run out
    (found,) = given.claim("w2").items
    assert (found.id, found.sending, found.deaths) == (dying.id, True, 1)


def test_a_stale_token_may_not_send(mark, given, until):
    old = given.leased(lease_ms=1)
    (newer,) = until(lambda: given.claim("w2").items)
    assert not mark(old)
    assert not newer.sending
    assert mark(newer)


def test_a_lease_that_ran_out_may_not_send_though_nobody_took_it_yet(run, reader, mark, given, look, until):
    """The next moment another worker may take it, and would find a mark for which it is held."""
    late = given.leased(lease_ms=1)
    created = look(late.id).created_at
    until(lambda: run(reader.now()) > created + 5)
    assert not mark(late)
    (again,) = given.claim("w2").items
    assert not again.sending


def test_what_was_given_back_may_not_be_sent(mark, given):
    delivery = given.leased()
    given.given_back(delivery)
    assert not mark(delivery)


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.UNKNOWN, Outcome.RETRY])
def test_what_is_settled_may_not_be_sent(mark, given, outcome):
    delivery = given.leased()
    given.settled(delivery, outcome)
    assert not mark(delivery)


def test_what_is_gone_may_not_be_sent(run, store, mark, given):
    delivery = given.leased()
    given.settled(delivery, Outcome.DELIVERED)
    run(store.retention.apply(0, 0, 0))
    assert not mark(delivery)
    assert run(store.client.exists(store.keys.delivery(delivery.id))) == 0
