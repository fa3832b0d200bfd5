"""Settle and claim, in one call, for the slots that the settling makes free."""

import pytest

from relay.model import DeliveryState, Limit, Outcome
from relay.store.keys import sink_queue
from tests.integration.store.shapes import settlement

QUEUE = sink_queue("books")


def ids(claim):
    return [item.id for item in claim.items]


def done(*deliveries, outcome=Outcome.DELIVERED, **decision):
    """Make settlements of attempts at deliveries."""
    return [settlement(delivery, outcome, **decision) for delivery in deliveries]


@pytest.fixture
def counters(run, reader):
    """Read all counters."""
    return lambda: run(reader.counters())


class TestBoth:
    """What is settled is settled as by `settle`, what is claimed as by `claim_deliveries`."""

    def test_what_is_settled_frees_the_slots_that_are_claimed(self, given, look):
        made = given.pending(5)
        first, second = given.claim("w1", concurrency=2).items
        answers, claim = given.settle_and_claim("w2", *done(first), concurrency=2)
        assert (answers, len(claim.items)) == (["settled"], 1)
        assert look(first.id).state is DeliveryState.DELIVERED
        (third,) = claim.items
        answers, claim = given.settle_and_claim("w3", *done(second, third), concurrency=2)
        assert (answers, len(claim.items)) == (["settled"] * 2, 2)
        assert {first.id, second.id, third.id, *ids(claim)} == set(made)

    def test_what_is_claimed_is_held_under_the_new_token(self, given, look):
        first, second = given.pending(2)
        (flying,) = given.claim("w1", max=1, concurrency=1).items
        _, claim = given.settle_and_claim("w2", *done(flying), concurrency=1)
        (taken,) = claim.items
        assert {flying.id, taken.id} == {first, second}
        assert (claim.token, taken.token) == ("w2", "w2")
        assert look(taken.id).in_flight
        assert given.settled(taken, Outcome.DELIVERED) == "settled"

    def test_each_comes_with_its_own_content(self, given):
        """The attempts that go with the call are not mistaken for contents."""
        flying = given.claimed(2)
        made = {given.pending(content=content)[0]: content for content in (b"one", "два".encode(), b"")}
        _, claim = given.settle_and_claim("w2", *done(*flying))
        assert {item.id: item.content for item in claim.items} == made

    def test_no_more_than_max_and_what_is_left_may_be_taken_at_once(self, given):
        given.pending(5)
        (flying,) = given.claim("w1", max=1).items
        _, claim = given.settle_and_claim("w2", *done(flying), max=3)
        assert (len(claim.items), claim.wait_ms) == (3, 0)

    def test_with_nothing_left_there_is_nothing_to_wait_for(self, run, store, given):
        answers, claim = given.settle_and_claim("w2", *done(given.leased()))
        assert (answers, claim.items, claim.poisoned, claim.wait_ms) == (["settled"], [], [], -1)
        assert run(store.client.zscore(store.keys.wake, QUEUE)) is None

    def test_what_still_flies_is_what_is_waited_for(self, given):
        first, _ = given.claimed(2)
        _, claim = given.settle_and_claim("w2", *done(first))
        assert claim.items == []
        assert 50_000 < claim.wait_ms <= 60_000

    def test_where_every_slot_is_taken_still_the_next_settle_is_waited_for(self, given):
        given.pending(5)
        first, *_ = given.claim("w1", max=3, concurrency=3).items
        _, claim = given.settle_and_claim("w2", *done(first), concurrency=2)  # the configuration changed
        assert (claim.items, claim.wait_ms) == ([], -1)

    def test_another_sink_keeps_what_is_its_own(self, given):
        (other,) = given.pending(sink="ledger")
        _, claim = given.settle_and_claim("w2", *done(given.leased()))
        assert claim.items == []
        assert ids(given.claim(sink="ledger")) == [other]

    def test_limits_count_what_is_claimed_and_not_what_is_settled(self, run, store, given):
        given.pending(6)
        limits = [Limit(key="k", count=3, per_ms=60_000)]
        flying = given.claim("w1", max=2, limits=limits).items
        _, claim = given.settle_and_claim("w2", *done(*flying), limits=limits)
        assert len(claim.items) == 1
        assert run(store.client.llen(store.keys.grants("k"))) == 3
        _, claim = given.settle_and_claim("w3", *done(*claim.items), limits=limits)
        assert claim.items == []
        assert 50_000 < claim.wait_ms <= 60_000

    def test_a_batch_is_claimed_for_one_call(self, given):
        flying = given.claimed(2)
        given.pending(12)
        _, claim = given.settle_and_claim("w2", *done(*flying), max=8, concurrency=8, batch=(10, 5))
        assert (claim.batched, len(claim.items)) == (True, 10)

    def test_a_batch_of_some_that_failed_comes_back_with_those_that_waited(self, given):
        given.pending(3)
        flying = given.claim().items
        fresh = given.pending(2)
        _, claim = given.settle_and_claim("w2", *done(*flying, outcome=Outcome.RETRY), batch=(10, 5))
        assert claim.batched
        assert {item.id: item.attempts for item in claim.items} == {
            **{delivery.id: 1 for delivery in flying}, **dict.fromkeys(fresh, 0),
        }  # fmt: skip

    def test_measures_are_added_up(self, given, counters):
        first, second = given.claimed(2)
        given.settle_and_claim("w2", *done(first), **{"took|books|3": 1, "took_ms|books": 80})
        given.settle_and_claim("w3", *done(second), **{"took|books|3": 1, "took_ms|books": 20})
        assert (counters()["took", "books", "3"], counters()["took_ms", "books"]) == (2, 100)
        assert counters()["delivery", "books", "delivered"] == 2


class TestAnswers:
    """One for each attempt, whatever is claimed."""

    def test_they_are_in_the_order_of_the_attempts(self, run, store, given, until):
        stale = given.leased(token="old", lease_ms=1)
        (newer,) = until(lambda: given.claim("newer").items)
        gone = given.leased(token="w1")
        given.settled(gone, Outcome.DELIVERED)
        run(store.retention.apply(0, 0, 0))
        first, last = given.claimed(2)
        given.pending(3)
        answers, claim = given.settle_and_claim("w2", *done(first, stale, gone, last, newer))
        assert answers == ["settled", "stale", "gone", "settled", "settled"]
        assert len(claim.items) == 3

    def test_a_stale_token_decides_nothing_and_frees_no_slot(self, run, reader, given, look, until):
        old = given.leased(token="old", lease_ms=1)
        (newer,) = until(lambda: given.claim("newer").items)
        given.pending(3)
        before = look(newer.id)
        answers, claim = given.settle_and_claim("w2", *done(old, outcome=Outcome.RETRY), concurrency=1)
        assert (answers, claim.items) == (["stale"], [])
        assert look(newer.id) == before
        assert [entry.outcome for entry in run(reader.story(old.id))] == [Outcome.RETRY]  # kept as evidence
        assert given.settled(newer, Outcome.DELIVERED, 2) == "settled"

    def test_a_call_that_is_repeated_settles_once_and_claims_what_the_first_did_not(self, run, reader, given, look):
        """The first answer was lost: what it claimed comes back when its lease runs out."""
        given.pending(4)
        (flying,) = given.claim("w1", max=1).items
        item, counts = settlement(flying, Outcome.DELIVERED), {"took|books|3": 1}
        _, lost = given.settle_and_claim("w2", item, max=2, **counts)
        answers, claim = given.settle_and_claim("w3", item, max=2, **counts)
        assert (answers, len(claim.items)) == (["settled"], 1)
        assert not set(ids(lost)) & set(ids(claim))
        assert all(look(id).in_flight for id in ids(lost))
        assert len(run(reader.story(flying.id))) == 1
        assert run(reader.counters())["took", "books", "3"] == 1


class TestAgain:
    """What has to be tried again is due like any other."""

    def test_at_once_it_is_claimed_by_the_same_call(self, given):
        given.pending()
        (flying,) = given.claim("w1", concurrency=1).items
        answers, claim = given.settle_and_claim("w2", *done(flying, outcome=Outcome.RETRY), concurrency=1)
        assert answers == ["settled"]
        (again,) = claim.items
        assert (again.id, again.attempts, again.token, again.content) == (flying.id, 1, "w2", flying.content)

    def test_later_it_is_waited_for(self, given):
        _, claim = given.settle_and_claim("w2", *done(given.leased(), outcome=Outcome.RETRY, delay_ms=30_000))
        assert claim.items == []
        assert 20_000 < claim.wait_ms <= 30_000

    def test_its_mark_of_sending_is_seen_where_it_stays(self, run, store, given):
        delivery = given.leased()
        run(store.mark_sending([delivery]))
        (item,) = done(delivery, outcome=Outcome.UNKNOWN, state=DeliveryState.PENDING, keeps_mark=True)
        _, claim = given.settle_and_claim("w2", item)
        assert [(again.sending, again.sends) for again in claim.items] == [(True, 1)]


class TestGate:
    """What is settled opens or closes the gate before anything is claimed."""

    def test_nothing_is_claimed_when_it_closes(self, run, store, given):
        given.pending(5)
        first, second = given.claim("w1", max=2).items
        items = [
            settlement(first, Outcome.DELIVERED),
            settlement(second, Outcome.BLOCKED, gate_ms=60_000, gate_sure=True),
        ]
        answers, claim = given.settle_and_claim("w2", *items)
        assert (answers, claim.items) == (["settled"] * 2, [])
        assert 50_000 < claim.wait_ms <= 60_000
        assert run(store.client.zcard(store.keys.due(QUEUE))) == 4

    def test_of_a_route_only_the_others_are_claimed(self, given):
        given.pending(3, route="wrong")
        (one,) = given.claim("w1", max=1).items
        right = given.pending(2, route="right")
        closing = done(one, outcome=Outcome.BLOCKED, gate_ms=60_000, gate_scope="route", gate_sure=True)
        _, claim = given.settle_and_claim("w2", *closing)
        assert sorted(ids(claim)) == right

    def test_what_comes_of_the_one_that_passed_opens_it_for_the_others(self, run, store, given, until):
        given.pending(4)
        (blocked,) = given.claim("w1", max=1).items
        given.settled(blocked, Outcome.BLOCKED, gate_ms=1)
        (probe,) = until(lambda: given.claim("probe").items)
        answers, claim = given.settle_and_claim("w2", *done(probe))
        assert (answers, len(claim.items)) == (["settled"], 3)
        assert run(store.client.exists(store.keys.gate(QUEUE))) == 0

    def test_a_throttled_one_leaves_it_as_it_is_and_one_passes(self, given, until):
        given.pending(4)
        (blocked,) = given.claim("w1", max=1).items
        given.settled(blocked, Outcome.BLOCKED, gate_ms=1)
        (probe,) = until(lambda: given.claim("probe").items)
        _, claim = given.settle_and_claim("w2", *done(probe, outcome=Outcome.THROTTLED, delay_ms=60_000))
        assert len(claim.items) == 1

    def test_paused_it_settles_and_claims_nothing(self, run, store, given, look):
        given.pending(2)
        (flying,) = given.claim("w1", max=1).items
        run(store.client.hset(store.keys.gate(QUEUE), "paused", 1))
        answers, claim = given.settle_and_claim("w2", *done(flying))
        assert (answers, claim.items, claim.wait_ms) == (["settled"], [], -1)
        assert look(flying.id).state is DeliveryState.DELIVERED


class TestDeath:
    """What other workers died holding comes back, as in any claim."""

    def test_what_is_poisoned_is_returned(self, run, store, given, look):
        deadly = given.leased(token="dying")
        mine = given.leased(token="w1")
        run(store.client.hset(store.keys.delivery(deadly.id), mapping={"died": 4, "alone": 4}))
        run(store.client.zadd(store.keys.leased(QUEUE), {deadly.id: 1}))  # as if its lease had run out
        answers, claim = given.settle_and_claim("w2", *done(mine))
        assert (answers, claim.poisoned, claim.items) == (["settled"], [deadly.id], [])
        assert look(deadly.id).state is DeliveryState.DEAD

    def test_a_lease_that_ran_out_comes_back_with_its_death_counted(self, run, store, given):
        dying = given.leased(token="dying")
        mine = given.leased(token="w1")
        run(store.client.zadd(store.keys.leased(QUEUE), {dying.id: 1}))  # as if its lease had run out
        _, claim = given.settle_and_claim("w2", *done(mine))
        assert [(item.id, item.deaths) for item in claim.items] == [(dying.id, 1)]

    def test_what_nobody_overtook_is_settled_before_its_lease_is_taken_back(self, run, store, given, look):
        late = given.leased(token="w1")
        run(store.client.zadd(store.keys.leased(QUEUE), {late.id: 1}))  # as if its lease had run out
        answers, claim = given.settle_and_claim("w2", *done(late))
        assert (answers, claim.items) == (["settled"], [])
        found = look(late.id)
        assert (found.state, found.deaths) == (DeliveryState.DELIVERED, 0)
