"""A gate that is closed keeps deliveries back. Then trials decide: what comes of one opens it or closes it again."""

import pytest

from relay.model import Outcome
from relay.store.acts import Act, Author
from relay.store.keys import sink_queue
from tests.integration.store.shapes import settlement

QUEUE = sink_queue("books")
BROKEN = {"gate_ms": 60_000, "delay_ms": 60_000, "gate_sure": True}  # no trial at once
REFUSED = {"gate_ms": 60_000, "delay_ms": 60_000}


def ids(claim):
    return [item.id for item in claim.items]


@pytest.fixture
def gate(run, store):
    """Read the gate of the sink."""
    return lambda: run(store.client.hgetall(store.keys.gate(QUEUE)))


@pytest.fixture
def closed(run, reader):
    """Return how often the sink's gate was closed."""
    return lambda: run(reader.counters()).get(("closed", "books"), 0)


@pytest.fixture
def blocked(given):
    """Claim one delivery, and close the gate by it."""

    def close(**decision):
        (delivery,) = given.claim("blocked", max=1).items
        given.settled(delivery, Outcome.BLOCKED, **{**BROKEN, "reason": "no money", **decision})
        return delivery

    return close


@pytest.fixture
def time_is_over(run, store, reader):
    """End the time of every gate of the sink, and of what waits for it."""

    def end():
        key = store.keys.gate(QUEUE)
        names = [name for name in run(store.client.hkeys(key)) if name == b"until" or name.startswith(b"route:")]
        if names:
            run(store.client.hset(key, mapping=dict.fromkeys(names, run(reader.now()))))
        due = store.keys.due(QUEUE)
        run(store.client.zadd(due, dict.fromkeys(run(store.client.zrange(due, 0, -1)), 1)))

    return end


class TestClosing:
    """A block closes the gate of the sink, or of the route where only that is wrong."""

    def test_it_says_since_when_and_why(self, run, reader, given, gate, closed):
        delivery = given.leased()
        before = run(reader.now())
        given.settled(delivery, Outcome.BLOCKED, gate_ms=60_000, reason="no money")
        fields = gate()
        assert fields[b"reason"] == b"no money"
        assert before <= int(fields[b"since"]) == int(fields[b"until"]) - 60_000
        assert closed() == 1

    def test_it_is_closed_once_however_many_say_so(self, given, gate, closed):
        """Five were in flight when the key was withdrawn."""
        flying = given.claimed(5)
        given.settled(flying[0], Outcome.BLOCKED, gate_ms=1000)
        since = gate()[b"since"]
        given.settle(*(settlement(d, Outcome.BLOCKED, gate_ms=60_000) for d in flying[1:]))
        assert gate()[b"since"] == since
        assert closed() == 1

    def test_closed_again_after_it_was_open_counts_again(self, given, blocked, time_is_over, closed):
        given.pending(3)
        blocked()
        time_is_over()
        (trial,) = given.claim().items
        given.settled(trial, Outcome.DELIVERED)
        blocked()
        assert closed() == 2

    def test_of_a_route_it_closes_the_route_only(self, run, reader, given, gate, closed):
        delivery = given.leased()
        before = run(reader.now())
        given.settled(delivery, Outcome.BLOCKED, gate_ms=60_000, gate_scope="route")
        ((name, at),) = gate().items()
        assert name == b"route:invoices"
        assert before + 60_000 <= int(at) <= run(reader.now()) + 60_000
        assert closed() == 0

    def test_closed_it_says_when_to_ask_again(self, given, blocked):
        given.pending(3)
        blocked()
        claim = given.claim()
        assert claim.items == []
        assert 50_000 < claim.wait_ms <= 60_000

    def test_closed_it_hides_nothing_of_another_sink(self, given, blocked):
        given.pending(2)
        (other,) = given.pending(sink="ledger")
        blocked()
        assert ids(given.claim(sink="ledger")) == [other]

    def test_what_still_flies_does_not_open_it(self, given, gate, time_is_over):
        """It may have been answered before the key was withdrawn."""
        given.pending(3)
        first, second = given.claim(max=2).items
        given.settled(first, Outcome.BLOCKED, **BROKEN)
        time_is_over()
        given.settled(second, Outcome.DELIVERED)
        assert b"until" in gate()
        assert len(given.claim().items) == 1


class TestTrial:
    """After the gate's time one delivery passes, and decides."""

    @pytest.fixture
    def trial(self, given, blocked, time_is_over):
        """Let five wait behind a gate whose time is over, and claim."""

        def claim(**more):
            given.pending(6)
            blocked()
            time_is_over()
            (delivery,) = given.claim("trial", **more).items
            return delivery

        return claim

    def test_while_it_is_out_no_other_passes(self, given, trial):
        trial()
        assert given.claim("w2").items == []

    @pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.REJECTED, Outcome.RETRY, Outcome.UNKNOWN])
    def test_what_comes_of_it_opens_the_gate(self, given, trial, gate, outcome):
        given.settled(trial(), outcome, delay_ms=60_000)
        assert gate() == {}
        assert len(given.claim().items) == 5

    def test_a_throttled_one_is_followed_by_another(self, given, trial):
        given.settled(trial(), Outcome.THROTTLED, delay_ms=60_000)
        assert len(given.claim().items) == 1

    def test_a_blocked_one_closes_it_again(self, given, trial):
        given.settled(trial(), Outcome.BLOCKED, gate_ms=60_000)
        claim = given.claim()
        assert claim.items == []
        assert claim.wait_ms > 50_000

    def test_one_that_dies_is_followed_by_another(self, given, trial, until):
        trial(lease_ms=1)
        assert len(until(lambda: given.claim("w2").items)) == 1

    def test_opening_the_gate_does_not_resume_what_is_paused(self, run, store, given, trial, gate):
        delivery = trial()
        run(store.client.hset(store.keys.gate(QUEUE), "paused", 1))
        given.settled(delivery, Outcome.DELIVERED)
        assert gate() == {b"paused": b"1"}

    def test_it_is_another_delivery_than_those_that_were_blocked(self, given, blocked, time_is_over):
        given.pending(3)
        for _ in range(3):
            blocked(gate_sure=False)
        (other,) = given.pending()
        time_is_over()
        assert ids(given.claim()) == [other]


class TestTrialAtOnce:
    """It may be this one event that is refused: where others wait, one of them is tried at once."""

    def test_where_it_arrives_the_gate_is_open(self, given, gate):
        given.pending(9)
        (refused,) = given.claim(max=1).items
        given.settled(refused, Outcome.BLOCKED, **REFUSED)
        (trial,) = given.claim().items
        assert trial.id != refused.id
        given.settled(trial, Outcome.DELIVERED)
        assert gate() == {}
        assert len(given.claim().items) == 7

    def test_where_three_are_blocked_too_the_gate_stays_closed_for_its_time(self, given, closed):
        given.pending(9)
        tried = 0
        while items := given.claim(max=1).items:
            given.settled(*items, Outcome.BLOCKED, **REFUSED)
            tried += 1
        assert (tried, closed()) == (1 + 3, 1)
        assert given.claim().wait_ms > 50_000

    def test_where_nobody_waits_the_next_that_comes_is_tried(self, given, gate):
        refused = given.leased()
        given.settled(refused, Outcome.BLOCKED, **REFUSED)
        claim = given.claim()
        assert (claim.items, claim.wait_ms > 50_000) == ([], True)
        (next_one,) = given.pending()
        assert ids(given.claim()) == [next_one]

    def test_tried_again_alone_it_does_not_speak_for_others(self, given, time_is_over):
        """However often one is refused: another that comes is tried at once."""
        given.settled(given.leased(), Outcome.BLOCKED, **REFUSED)
        for _ in range(5):
            time_is_over()
            (again,) = given.claim().items
            given.settled(again, Outcome.BLOCKED, **REFUSED)
        (next_one,) = given.pending()
        assert ids(given.claim()) == [next_one]

    def test_what_was_blocked_too_is_not_tried_and_costs_no_busy_waiting(self, given):
        given.pending(3)
        flying = given.claim().items
        given.settle(*(settlement(d, Outcome.BLOCKED, gate_ms=60_000, delay_ms=0) for d in flying))
        claim = given.claim()
        assert claim.items == []
        assert claim.wait_ms > 50_000

    def test_a_sink_that_says_for_how_long_is_not_asked_before(self, given, blocked):
        given.pending(2)
        blocked(gate_sure=True)
        assert given.claim().items == []

    def test_it_takes_a_slot_and_a_grant_like_any_other(self, given):
        given.pending(3)
        refused, _flying = given.claim(max=2).items
        given.settled(refused, Outcome.BLOCKED, **REFUSED)
        assert given.claim(concurrency=1).items == []
        assert len(given.claim(concurrency=2).items) == 1


class TestFault:
    """What was blocked before another delivery arrived is at fault itself: a claim says so."""

    def test_not_before_another_arrived(self, given, time_is_over):
        given.settled(given.leased(), Outcome.BLOCKED, **REFUSED)
        time_is_over()
        (again,) = given.claim().items
        assert not again.at_fault

    @pytest.mark.parametrize("scope", ["sink", "route"])
    def test_once_another_arrived(self, given, time_is_over, scope):
        refused = given.leased()
        given.settled(refused, Outcome.BLOCKED, gate_scope=scope, **REFUSED)
        given.pending()
        given.settled(*given.claim().items, Outcome.DELIVERED)
        time_is_over()
        (again,) = given.claim().items
        assert (again.id, again.at_fault) == (refused.id, True)

    @pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.REJECTED, Outcome.UNKNOWN])
    def test_what_did_not_arrive_proves_nothing(self, given, time_is_over, outcome):
        refused = given.leased()
        given.settled(refused, Outcome.BLOCKED, **REFUSED)
        given.pending()
        given.settled(*given.claim().items, outcome, delay_ms=60_000)
        time_is_over()
        assert [item.at_fault for item in given.claim().items if item.id == refused.id] == [False]

    def test_its_block_closes_nothing_and_keeps_its_attempts_apart(self, given, time_is_over, gate, look, run, reader):
        refused = given.leased()
        given.settled(refused, Outcome.BLOCKED, **REFUSED)
        given.pending(2)
        (trial,) = given.claim().items
        given.settled(trial, Outcome.DELIVERED)
        given.settled(*given.claim().items, Outcome.DELIVERED)
        for number in (1, 2):
            time_is_over()
            (again,) = given.claim().items
            given.settled(again, Outcome.BLOCKED, number, consumed=True, delay_ms=60_000)
        assert (look(refused.id).attempts, gate()) == (2, {})
        assert [attempt.times for attempt in run(reader.story(refused.id))] == [1, 1, 1]

    def test_as_a_trial_it_is_followed_by_another(self, given, blocked, time_is_over):
        refused = given.leased()
        given.settled(refused, Outcome.BLOCKED, **REFUSED)
        given.pending()
        given.settled(*given.claim().items, Outcome.DELIVERED)
        given.pending()
        other = blocked()  # now the sink is broken
        time_is_over()
        trials = []
        for _ in range(2):
            (trial,) = given.claim().items
            trials.append(trial.id)
            fault = {"consumed": True, "delay_ms": 60_000} if trial.at_fault else {**REFUSED, "gate_ms": 0}
            given.settled(trial, Outcome.BLOCKED, 2, **fault)
        assert set(trials) == {refused.id, other.id}

    def test_it_is_not_sent_with_others_in_a_batch(self, given, time_is_over):
        """A batch is refused as a whole."""
        refused = given.leased()
        given.settled(refused, Outcome.BLOCKED, **REFUSED)
        given.pending()
        given.settled(*given.claim().items, Outcome.DELIVERED)
        given.pending(6)
        time_is_over()
        claims = [given.settle_and_claim(f"w{n}", max=1, batch=(9, 2))[1] for n in range(2)]
        assert sorted(len(claim.items) for claim in claims) == [1, 6]

    def test_resent_by_a_person_it_begins_anew(self, run, store, given, time_is_over):
        refused = given.leased()
        given.settled(refused, Outcome.BLOCKED, **REFUSED)
        given.pending()
        given.settled(*given.claim().items, Outcome.DELIVERED)
        time_is_over()
        (again,) = given.claim().items
        given.settled(again, Outcome.REJECTED, 2)
        assert run(store.acts.act_on_delivery(refused.id, Act.RESEND, Author(by="me"))).code == "done"
        (anew,) = given.claim().items
        assert not anew.at_fault


class TestPaused:
    """A gate that a person closed lets nothing pass until it is resumed."""

    def test_nothing_passes(self, run, store, given):
        made = given.pending(2)
        gate = store.keys.gate(QUEUE)
        run(store.client.hset(gate, "paused", 1))
        claim = given.claim()
        assert (claim.items, claim.wait_ms) == ([], -1)
        assert run(store.client.zscore(store.keys.wake, QUEUE)) is None
        run(store.client.hdel(gate, "paused"))
        assert ids(given.claim()) == made

    def test_expired_leases_are_taken_back(self, run, store, given, look, until):
        flying = given.leased(lease_ms=1)
        run(store.client.hset(store.keys.gate(QUEUE), "paused", 1))
        until(lambda: given.claim().wait_ms == -1 and look(flying.id).deaths == 1)
        assert not look(flying.id).in_flight


class TestRoute:
    """Where only a route is wrong, only the route waits."""

    @pytest.fixture
    def wrong(self, given, blocked):
        """Let two of a route wait, whose gate was closed by a third."""
        made = given.pending(3, route="wrong: счета")
        refused = blocked(gate_scope="route")
        return [id for id in made if id != refused.id]

    def test_its_deliveries_wait_until_it_opens_and_the_others_pass(self, given, gate, look, wrong):
        right = given.pending(3, route="right")
        assert sorted(ids(given.claim())) == right
        until = int(gate()["route:wrong: счета".encode()])
        assert [look(id).due_at for id in wrong] == [until] * 2

    def test_what_waits_in_front_does_not_hide_what_is_behind(self, given, wrong):
        (right,) = given.pending(route="right")
        assert ids(given.claim(max=1)) == [right]

    def test_after_its_time_one_passes_and_decides(self, given, gate, wrong, time_is_over):
        time_is_over()
        (trial,) = given.claim().items
        assert given.claim().items == []
        assert trial.id in wrong
        given.settled(trial, Outcome.DELIVERED)
        assert gate() == {}
        time_is_over()
        assert len(given.claim().items) == 2

    def test_one_of_which_nothing_comes_any_more_is_forgotten(self, run, store, given, gate):
        """Else each claim would look for its trial for ever."""
        given.settled(given.leased(), Outcome.BLOCKED, gate_scope="route", **REFUSED)
        key, now = store.keys.gate(QUEUE), int(gate()[b"route:invoices"]) - 60_000
        run(store.client.hset(key, "route:invoices", now - 30 * 60_000))
        given.claim()
        assert gate() != {}
        run(store.client.hset(key, "route:invoices", now - 61 * 60_000))
        given.claim()
        assert gate() == {}

    def test_of_one_event_alone_another_of_the_route_is_tried_at_once(self, given, gate, until):
        made = given.pending(4, route="wrong")
        right = given.pending(2, route="right")
        claimed = {delivery.id: delivery for delivery in given.claim().items}
        refused = claimed.pop(made[0])
        given.given_back(*claimed.values())
        given.settled(refused, Outcome.BLOCKED, gate_scope="route", **REFUSED)
        (trial,) = (delivery for delivery in given.claim().items if delivery.id not in right)
        given.settled(trial, Outcome.DELIVERED)
        assert gate() == {}
        found = []
        until(lambda: found.extend(ids(given.claim())) or len(found) == 2)  # they are looked at again soon
        assert {*found, refused.id, trial.id} == set(made)
