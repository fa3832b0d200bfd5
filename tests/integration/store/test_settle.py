"""Settling writes the results of attempts; only the newest lease decides."""

import msgspec
import pytest

from relay.model import DecisionKind, DeliveryState, Outcome
from relay.store.keys import sink_queue
from tests.integration.store.shapes import attempt, ids_in_queue, settlement

QUEUE = sink_queue("books")


@pytest.fixture
def story(run, reader):
    """Read a delivery's story as (outcome, number, times)."""
    return lambda id: [(a.outcome, a.number, a.times) for a in run(reader.story(id))]


@pytest.fixture
def counters(run, reader):
    """Read all counters."""
    return lambda: run(reader.counters())


@pytest.fixture
def gate(run, store):
    """Read the gate of the sink."""
    return lambda: run(store.client.hgetall(store.keys.gate(QUEUE)))


@pytest.fixture
def overtaken(given, until):
    """A delivery as two workers hold it: the first one's lease ran out."""

    def make():
        old = given.leased(token="old", lease_ms=1)
        (newer,) = until(lambda: given.claim("newer").items)
        return old, newer

    return make


class TestStates:
    """Every state that a decision may name."""

    @pytest.mark.parametrize(
        ("outcome", "state"),
        [
            (Outcome.DELIVERED, DeliveryState.DELIVERED),
            (Outcome.SKIPPED, DeliveryState.SKIPPED),
            (Outcome.DELIVERED, DeliveryState.SHADOWED),
            (Outcome.REJECTED, DeliveryState.DEAD),
            (Outcome.RETRY, DeliveryState.DEAD),
            (Outcome.RETRY, DeliveryState.CANCELLED),
        ],
    )
    def test_finished(self, run, reader, given, look, story, counters, outcome, state):
        delivery = given.leased()
        assert given.settled(delivery, outcome, state=state, reason="вот почему") == "settled"
        found = look(delivery.id)
        assert (found.state, found.reason, found.attempts) == (state, "вот почему", 1)
        assert found.finished_at >= found.created_at
        assert (found.in_flight, found.due_at) == (False, None)
        assert story(delivery.id) == [(outcome, 1, 1)]
        assert counters()["delivery", "books", str(state)] == 1
        assert counters()["attempt", "books", str(outcome)] == 1
        assert run(ids_in_queue(reader, "books")) == ([delivery.id] if state is DeliveryState.DEAD else [])

    def test_retried_after_its_delay(self, run, reader, given, look):
        delivery = given.leased()
        before = run(reader.now())
        given.settled(delivery, Outcome.RETRY, delay_ms=60_000, reason="they answered 503")
        found = look(delivery.id)
        assert (found.state, found.reason, found.attempts) == (DeliveryState.PENDING, "they answered 503", 1)
        assert before + 60_000 <= found.due_at <= run(reader.now()) + 60_000

    def test_retried_it_comes_with_its_attempts_and_the_same_content(self, given, until):
        delivery = given.leased()
        given.settled(delivery, Outcome.RETRY, delay_ms=1)
        (again,) = until(lambda: given.claim("w2").items)
        assert (again.attempts, again.content, again.deaths) == (1, delivery.content, 0)

    @pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.BLOCKED])
    def test_what_consumes_no_attempt(self, given, look, outcome):
        delivery = given.leased()
        given.settled(delivery, outcome, delay_ms=60_000)
        assert look(delivery.id).attempts == 0

    def test_held_for_a_person(self, run, store, reader, given, look, counters):
        delivery = given.leased()
        run(store.mark_sending([delivery]))
        given.settled(delivery, Outcome.UNKNOWN, reason="the connection broke after the bytes had left")
        found = look(delivery.id)
        assert (found.state, found.due_at, found.in_flight, found.finished_at) == (
            DeliveryState.HELD, None, False, None,
        )  # fmt: skip
        assert run(ids_in_queue(reader, "books")) == [delivery.id]
        assert counters()["delivery", "books", "held"] == 1

    def test_a_retry_clears_the_mark_of_sending(self, run, store, given):
        """Its attempt ended: the next one has nothing to look up."""
        delivery = given.leased()
        run(store.mark_sending([delivery]))
        given.settled(delivery, Outcome.RETRY)
        assert not given.claim().items[0].sending

    @pytest.mark.parametrize("outcome", list(Outcome))
    def test_it_is_nobody_s_any_more_and_what_waits_has_seen_no_death(self, run, store, given, until, outcome):
        given.leased(token="dying", lease_ms=1)
        (delivery,) = until(lambda: given.claim("w1").items)
        given.settled(delivery, outcome, delay_ms=60_000)
        state, token, died = run(store.client.hmget(store.keys.delivery(delivery.id), "state", "tok", "died"))
        assert token == b""
        assert died == (b"0" if state == b"pending" else b"1")

    def test_a_batch_settles_each_by_itself(self, given, look):
        gone, *held = given.claimed(4)
        outcomes = [Outcome.DELIVERED, Outcome.RETRY, Outcome.REJECTED]
        answers = given.settle(*(settlement(d, o) for d, o in zip(held, outcomes, strict=True)))
        assert answers == ["settled"] * 3
        assert [look(d.id).state for d in held] == ["delivered", "pending", "dead"]
        assert look(gone.id).in_flight

    def test_a_delivery_that_is_gone(self, run, store, given, counters):
        delivery = given.leased()
        given.settled(delivery, Outcome.DELIVERED)
        run(store.retention.apply(0, 0, 0))
        before = counters()
        assert given.settled(delivery, Outcome.DELIVERED, number=2) == "gone"
        assert counters() == before
        assert run(store.client.keys(store.keys.story("*"))) == []


class TestStory:
    """The story has every attempt, in order."""

    def test_it_reads_as_it_was_written(self, run, reader, given):
        delivery = given.leased()
        given.settled(delivery, Outcome.RETRY)
        (entry,) = run(reader.story(delivery.id))
        assert (entry.outcome, entry.number, entry.took_ms, entry.reason, entry.decision) == (
            Outcome.RETRY, 1, 12, "so it was", DecisionKind.RETRY,
        )  # fmt: skip

    def test_throttled_and_blocked_in_a_row_collapse_to_a_count_and_the_last(self, given, story):
        (id,) = given.pending()
        tries = [Outcome.RETRY, *[Outcome.THROTTLED] * 3, *[Outcome.BLOCKED] * 2, Outcome.THROTTLED, Outcome.DELIVERED]
        for number, outcome in enumerate(tries, 1):
            given.settled(given.claim().items[0], outcome, number)
        assert story(id) == [
            (Outcome.RETRY, 1, 1), (Outcome.THROTTLED, 4, 3), (Outcome.BLOCKED, 6, 2), (Outcome.THROTTLED, 7, 1),
            (Outcome.DELIVERED, 8, 1),
        ]  # fmt: skip

    def test_retries_do_not_collapse(self, given, story):
        (id,) = given.pending()
        for number in (1, 2, 3):
            given.settled(given.claim().items[0], Outcome.RETRY, number)
        assert story(id) == [(Outcome.RETRY, n, 1) for n in (1, 2, 3)]

    def test_bars_and_braces_in_what_they_answered_confuse_nobody(self, run, store, reader, given):
        delivery = given.leased()
        entry = attempt(Outcome.THROTTLED, response='1|throttled|{"a": "|{"}\n|{', reason="7|blocked|{}")
        item = settlement(delivery, Outcome.THROTTLED)
        for _ in range(2):
            run(store.settle("books", [type(item)(**{**_fields(item), "attempt": entry})], {}))
        (kept,) = run(reader.story(delivery.id))
        assert (kept.response, kept.times) == ('1|throttled|{"a": "|{"}\n|{', 1)


def _fields(item):
    return {name: getattr(item, name) for name in item.__struct_fields__}


class TestRepeated:
    """The answer to a settle was lost on its way, and the worker says it again."""

    @pytest.mark.parametrize("outcome", list(Outcome))
    def test_it_changes_nothing_and_is_not_told_twice(self, run, store, given, look, story, counters, gate, outcome):
        delivery = given.leased()
        item = settlement(delivery, outcome, delay_ms=60_000, gate_ms=30_000 if outcome is Outcome.BLOCKED else 0)
        counts = {"took|books|3": 1, "took_ms|books": 80}
        first = run(store.settle("books", [item], counts))
        before = look(delivery.id), story(delivery.id), counters(), gate()
        assert run(store.settle("books", [item], counts)) == first == ["settled"]
        assert (look(delivery.id), story(delivery.id), counters(), gate()) == before

    def test_also_where_another_worker_holds_it_again(self, given, look, story):
        delivery = given.leased()
        given.settled(delivery, Outcome.RETRY)
        (again,) = given.claim("w2").items
        assert given.settled(delivery, Outcome.RETRY) == "settled"
        assert look(delivery.id).in_flight
        assert len(story(delivery.id)) == 1
        assert given.settled(again, Outcome.RETRY, 2) == "settled"
        assert given.settled(delivery, Outcome.RETRY) == "settled"
        assert len(story(delivery.id)) == 2


class TestLate:
    """A worker whose lease ran out comes back with what it saw."""

    @pytest.mark.parametrize("outcome", list(Outcome))
    def test_while_a_newer_lease_is_out_it_is_evidence_only(
        self, given, look, story, counters, gate, overtaken, outcome
    ):
        old, newer = overtaken()
        before = look(old.id)
        assert given.settled(old, outcome, gate_ms=1000 if outcome is Outcome.BLOCKED else 0) == "stale"
        assert look(old.id) == before
        assert story(old.id) == [(outcome, 1, 1)]
        assert gate() == {}
        assert counters()["attempt", "books", str(outcome)] == 1
        assert given.settled(newer, Outcome.RETRY, 2) == "settled"

    def test_delivered_wins_in_the_very_call_that_has_it_wait_again(self, given, look):
        earlier = given.leased()
        given.given_back(earlier)
        (later,) = given.claim("w2").items
        answers = given.settle(settlement(later, Outcome.RETRY, 2), settlement(earlier, Outcome.DELIVERED))
        assert answers == ["settled", "settled"]
        assert look(earlier.id).state is DeliveryState.DELIVERED
        assert given.claim().items == []

    def test_delivered_wins_while_it_waits_to_be_sent_again(self, given, look, story, overtaken):
        old, newer = overtaken()
        given.settled(newer, Outcome.RETRY, delay_ms=60_000)
        assert given.settled(old, Outcome.DELIVERED, 2) == "settled"
        assert look(old.id).state is DeliveryState.DELIVERED
        assert story(old.id) == [(Outcome.RETRY, 1, 1), (Outcome.DELIVERED, 2, 1)]
        assert given.claim().items == []

    @pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.DELIVERED])
    def test_nothing_else_does(self, given, look, overtaken, outcome):
        old, newer = overtaken()
        given.settled(newer, Outcome.RETRY, delay_ms=60_000)
        before = look(old.id)
        assert given.settled(old, outcome, 2) == "stale"
        assert look(old.id) == before

    @pytest.mark.parametrize("outcome", list(Outcome))
    def test_whose_lease_ran_out_and_nobody_took_it_still_decides(self, run, store, given, look, until, outcome):
        """It is back among what is due; whatever is decided takes it from there."""
        late = given.leased(lease_ms=1)
        run(store.client.hset(store.keys.gate(QUEUE), "paused", 1))
        until(lambda: given.claim("other") and not look(late.id).in_flight)
        run(store.client.hdel(store.keys.gate(QUEUE), "paused"))
        assert given.settled(late, outcome, delay_ms=60_000) == "settled"
        assert given.claim("w2").items == []

    @pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.UNKNOWN, Outcome.SKIPPED])
    def test_delivered_wins_over_what_was_decided_meanwhile(self, run, store, given, look, overtaken, outcome):
        """It is no dead letter, and nobody need decide about it: its story says that it was delivered."""
        old, newer = overtaken()
        given.settled(newer, outcome)
        assert given.settled(old, Outcome.DELIVERED, 2) == "settled"
        assert look(old.id).state is DeliveryState.DELIVERED
        assert given.settled(old, Outcome.DELIVERED, 2) == "settled"  # said again: the answer was lost
        assert run(store.client.zcard(store.keys.finished)) == 1

    @pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.DELIVERED])
    def test_what_is_delivered_stays_so(self, given, look, overtaken, outcome):
        old, newer = overtaken()
        given.settled(newer, Outcome.DELIVERED)
        before = look(old.id)
        assert given.settled(old, outcome, 2) == "stale"
        assert look(old.id) == before

    @pytest.mark.parametrize("outcome", list(Outcome))
    def test_delivered_counts_when_the_newer_lease_ends(self, given, look, overtaken, outcome):
        old, newer = overtaken()
        assert given.settled(old, Outcome.DELIVERED) == "stale"
        assert look(old.id).in_flight
        assert given.settled(newer, outcome, 2) == "settled"
        assert look(old.id).state is DeliveryState.DELIVERED
        assert given.claim().items == []

    def test_delivered_counts_when_the_newer_lease_runs_out(self, run, store, given, look, overtaken):
        old, _ = overtaken()
        given.settled(old, Outcome.DELIVERED)
        run(store.client.zadd(store.keys.leased(QUEUE), {old.id: 1}))
        assert given.claim("w3").items == []
        assert look(old.id).state is DeliveryState.DELIVERED

    def test_a_dead_letter_that_was_delivered_is_kept_no_longer_than_others(self, run, store, given, look):
        old = given.leased()
        for n in range(5):
            run(store.client.zadd(store.keys.leased(QUEUE), {old.id: 1}))
            given.claim(f"w{n}")
        assert look(old.id).state is DeliveryState.DEAD
        assert given.settled(old, Outcome.DELIVERED) == "settled"
        assert look(old.id).state is DeliveryState.DELIVERED
        assert run(store.client.zcard(store.keys.dead("books"))) == 0
        assert run(store.retention.apply(0, 1_000_000, 0)).removed == 1


class TestHeldForItsMark:
    """Its worker seemed to have died while it was sending: then it is heard of after all."""

    @pytest.fixture
    def held(self, run, store, given, look):
        """Return an attempt that marked its delivery and was not heard of, so that the next one held it."""
        old = given.leased()
        run(store.mark_sending([old]))
        run(store.client.zadd(store.keys.leased(QUEUE), {old.id: 1}))
        (newer,) = given.claim("w2").items
        given.settled(newer, Outcome.UNKNOWN, keeps_mark=True)
        assert look(old.id).state is DeliveryState.HELD
        return old

    @pytest.mark.parametrize(
        ("outcome", "state"),
        [
            (Outcome.DELIVERED, DeliveryState.DELIVERED),
            (Outcome.REJECTED, DeliveryState.DEAD),
            (Outcome.RETRY, DeliveryState.PENDING),
            (Outcome.THROTTLED, DeliveryState.PENDING),
            (Outcome.UNKNOWN, DeliveryState.HELD),
        ],
    )
    def test_what_became_of_it_decides(self, given, look, held, outcome, state):
        assert given.settled(held, outcome, 2) == "settled"
        assert look(held.id).state is state
        found = given.claim("w3").items
        assert [(one.id, one.sending) for one in found] == ([(held.id, False)] if state == "pending" else [])

    def test_another_attempt_does_not(self, run, store, given, look, held):
        other = msgspec.structs.replace(held, token="w0")
        assert given.settled(other, Outcome.RETRY, 2) == "stale"
        assert look(held.id).state is DeliveryState.HELD


def test_measures_are_added_up(run, store, given, counters):
    first, second = given.claimed(2)
    run(store.settle("books", [settlement(first, Outcome.DELIVERED)], {"took|books|3": 1, "took_ms|books": 80}))
    run(store.settle("books", [settlement(second, Outcome.DELIVERED)], {"took|books|3": 1, "took_ms|books": 20}))
    assert (counters()["took", "books", "3"], counters()["took_ms", "books"]) == (2, 100)
