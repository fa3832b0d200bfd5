"""What is claimed ahead of a slot does not count, begins in the slot of one that is settled, or is given back."""

import pytest

from relay.model import Delivery, DeliveryState, Limit, Outcome
from relay.store.acts import Act, Author
from relay.store.keys import sink_queue
from relay.store.records import Claim
from relay.store.requests import sink_claim_request
from tests.integration.store.shapes import settlement

QUEUE = sink_queue("books")
ANNA = Author(by="anna")
LEASE_MS = 60_000


@pytest.fixture
def claim(run, store):
    """Return a function that claims of a sink with two slots."""

    def claim(token: str, slots: int = 2, ahead: int = 0, limits=(), **more) -> Claim[Delivery]:
        request = sink_claim_request("books", token, slots, LEASE_MS, 2, limits, ahead=ahead, **more)
        return run(store.claim_deliveries(request))

    return claim


@pytest.fixture
def ahead(given, claim):
    """Three deliveries that a worker holds, the last one ahead of its two slots; two more are due."""
    given.pending(5)
    claimed = claim("w1:1", ahead=1)
    assert (len(claimed.items), claimed.ahead) == (3, 1)
    return claimed.items


def test_it_does_not_count_against_the_concurrency(ahead, claim):
    assert claim("w2:1").items == []


def test_there_is_none_while_a_slot_is_free(given, claim):
    given.pending(5)
    claimed = claim("w1:1", slots=1, ahead=4)
    assert (len(claimed.items), claimed.ahead) == (1, 0)


@pytest.mark.parametrize("settled", [1, 2])
def test_it_takes_over_the_slot_of_one_that_is_settled(run, store, ahead, claim, settled):
    first, second, third = ahead
    done = [settlement(one, Outcome.DELIVERED) for one in (first, second)[:settled]]
    run(store.settle("books", done, {}, begun=[third]))
    assert len(claim("w2:1").items) == settled - 1


def test_one_that_is_settled_with_the_one_before_it_leaves_its_slot_free(run, store, ahead, claim):
    first, _, third = ahead
    run(store.settle("books", [settlement(one, Outcome.DELIVERED) for one in (first, third)], {}, begun=[third]))
    assert len(claim("w2:1").items) == 1
    assert run(store.client.exists(store.keys.ahead(QUEUE))) == 0


def test_under_a_stale_token_nothing_begins(run, store, ahead, claim):
    first, _, third = ahead
    stale = Delivery(**{name: getattr(third, name) for name in third.__struct_fields__} | {"token": "w1:0"})
    run(store.settle("books", [settlement(first, Outcome.DELIVERED)], {}, begun=[stale]))
    assert len(claim("w2:1").items) == 1


def test_what_is_given_back_waits_where_it_waited(run, store, reader, ahead, claim):
    due_before = run(store.client.zscore(store.keys.ahead(QUEUE), ahead[2].id))
    assert claim("w1:2", slots=0, back=[ahead[2]]).items == []
    assert run(store.client.zscore(store.keys.due(QUEUE), ahead[2].id)) == due_before
    (found,) = run(reader.deliveries([ahead[2].id]))
    assert (found.state, found.attempts, found.deaths) == (DeliveryState.PENDING, 0, 0)
    assert run(store.client.zscore(store.keys.wake, QUEUE)) <= due_before  # somebody looks at it


def test_what_another_worker_holds_since_is_not_given_back(run, store, ahead, claim):
    first, second, third = ahead
    claim("w1:2", slots=0, back=[third])
    run(store.settle("books", [settlement(one, Outcome.DELIVERED) for one in (first, second)], {}))
    taken = claim("w2:1")
    claim("w1:3", slots=0, back=[third])
    assert set(run(store.client.zrange(store.keys.leased(QUEUE), 0, -1))) == {one.id.encode() for one in taken.items}


@pytest.mark.parametrize("gate", ["until", "ramp"])
def test_whoever_only_gives_back_takes_no_trial_and_ends_no_ramp(run, store, reader, ahead, gate):
    gates = store.keys.gate(QUEUE)
    run(store.client.hset(gates, gate, int(store.clock.seconds() * 1000) - 60_000 * (gate == "until")))
    before = run(store.client.hgetall(gates))
    nothing = sink_claim_request("books", "w1:2", 0, 0, 0, (), back=[ahead[2]])
    assert run(store.claim_deliveries(nothing)).items == []
    assert run(store.client.hgetall(gates)) == before
    assert run(store.client.zscore(store.keys.due(QUEUE), ahead[2].id)) is not None


def test_there_is_none_where_a_sink_has_a_rate(given, claim):
    given.pending(5)
    claimed = claim("w1:1", ahead=2, limits=(Limit(key="books", count=100, per_ms=1000),))
    assert (len(claimed.items), claimed.ahead) == (2, 0)


@pytest.mark.parametrize("gate", ["until", "route:invoices", "ramp", "paused"])
def test_there_is_none_behind_a_gate_and_what_there_is_is_recalled(run, store, ahead, claim, gate):
    run(store.client.hset(store.keys.gate(QUEUE), gate, int(store.clock.seconds() * 1000)))
    claimed = claim("w1:2", slots=0, ahead=2, holds_ahead=True)
    assert (claimed.ahead, claimed.recalled) == (0, True)


def test_one_that_was_ahead_when_its_worker_died_is_no_suspect_and_not_ahead_again(run, store, ahead, claim):
    run(store.end_leases("w1", sending=True))
    again = claim("w2:1", ahead=3)
    deaths = {one.id: one.deaths for one in again.items}
    assert again.ahead == len(again.items) - 2
    died = {one.id for one in ahead}
    assert {id for id, n in deaths.items() if n} == {one.id for one in again.items[:2]} & died
    assert died.isdisjoint(one.id for one in again.items[2:])
    assert run(store.client.hget(store.keys.delivery(ahead[2].id), "died")) == b"1"


def test_alone_with_a_worker_that_died_it_is_not_to_blame(run, store, ahead):
    first, second, third = ahead
    run(store.settle("books", [settlement(one, Outcome.DELIVERED) for one in (first, second)], {}))
    run(store.end_leases("w1", sending=True))
    run(store.claim_deliveries(sink_claim_request("books", "w2:1", 0, LEASE_MS, 2, ())))
    assert run(store.client.hmget(store.keys.delivery(third.id), "died", "alone")) == [b"1", None]


def test_where_a_person_cancels_one_all_is_recalled(run, store, reader, ahead, claim):
    assert run(store.acts.act_on_delivery(ahead[2].id, Act.CANCEL, ANNA)).code == "asked"
    claimed = claim("w1:2", slots=0, ahead=2, holds_ahead=True)
    assert (claimed.ahead, claimed.recalled) == (0, True)
    claim("w1:3", slots=0, back=[ahead[2]])
    (found,) = run(reader.deliveries([ahead[2].id]))
    assert (found.state, found.attempts) == (DeliveryState.CANCELLED, 0)
    assert run(store.client.exists(store.keys.ahead(QUEUE))) == 0  # nobody is to give anything back any more
