"""`latest`: a newer delivery of a key cancels those that wait; what is in flight, or may have arrived, stays."""

import pytest

from relay.model import DecisionKind, DeliveryState, Outcome
from relay.store.acts import Act, Author
from relay.store.requests import sink_claim_request
from tests.integration.invariants import broken_invariants
from tests.integration.store.shapes import new, routed, settlement

KEY, OTHER = "a" * 16, "b" * 16
ANNA = Author(by="anna")
KEPT_MARK = {"kind": DecisionKind.RETRY, "state": DeliveryState.PENDING, "keeps_mark": True}


@pytest.fixture
def make(run, store):
    """Make a delivery of a receipt."""

    def make(receipt, **more) -> str:
        id = f"d{receipt.id[1:]}"
        run(store.save_routed("router", [routed(receipt, new(id, receipt.id, **{"latest": KEY, **more}))]))
        return id

    return make


@pytest.fixture
def ids(given):
    """Claim, and return what was taken."""
    return lambda **more: [one.id for one in given.claim(**more).items]


@pytest.fixture(autouse=True)
def nothing_is_broken(run, store):
    yield
    assert run(broken_invariants(store)) == []


def test_a_newer_one_cancels_those_that_wait(given, make, look, ids):
    first, second, third = map(make, given.taken(3))
    assert ids() == [third]
    for id, newer in ((first, second), (second, third)):
        assert (look(id).state, look(id).reason) == (DeliveryState.CANCELLED, f"superseded by {newer}")
        assert look(id).superseded_by == newer


def test_of_those_that_are_made_together_the_newest_remains(run, store, given, look, ids):
    receipts = given.taken(3)
    parts = [routed(one, new(f"d{n}", one.id, latest=KEY)) for n, one in enumerate(receipts)]
    run(store.save_routed("router", [parts[1], parts[2], parts[0]]))
    assert ids() == ["d2"]
    assert [look(id).reason for id in ("d0", "d1")] == ["superseded by d2"] * 2


def test_other_keys_and_sinks_stay(given, make, ids):
    first, second, third = given.taken(3)
    made = [make(first, latest=OTHER), make(second), make(third, sink="papers")]
    assert (ids(), ids(sink="papers")) == (made[:2], made[2:])


def test_what_is_in_flight_stays_and_what_waits_for_another_attempt_does_not(given, make, look, ids):
    flying, failed, newest = given.taken(3)
    make(flying)
    (out,) = given.claim().items
    waits = make(failed)
    assert look(out.id).in_flight
    (second,) = given.claim().items
    given.settled(second, Outcome.RETRY)
    make(newest)
    assert (look(out.id).state, look(waits).state) == (DeliveryState.PENDING, DeliveryState.CANCELLED)
    assert given.settled(out, Outcome.DELIVERED) == "settled"


def test_what_may_have_arrived_stays(run, store, given, make, look):
    first, second = given.taken(2)
    make(first)
    (out,) = given.claim().items
    run(store.mark_sending([out]))
    given.settled(out, Outcome.UNKNOWN, **KEPT_MARK)
    make(second)
    assert look(out.id).state is DeliveryState.PENDING


def test_what_is_held_stays(run, store, given, make, look):
    first, second = given.taken(2)
    make(first)
    (out,) = given.claim().items
    given.settled(out, Outcome.UNKNOWN)
    make(second)
    assert look(out.id).state is DeliveryState.HELD


def test_what_is_claimed_ahead_stays(run, store, given, make, look):
    """Nobody knows here whether it has begun."""
    first, second, third = given.taken(3)
    make(first, latest="")
    ahead = make(second)
    run(store.claim_deliveries(sink_claim_request("books", "w1:0", 1, 60_000, 1, ())))
    assert len(run(store.claim_deliveries(sink_claim_request("books", "w1:1", 1, 60_000, 1, (), ahead=1))).items) == 1
    make(third)
    assert look(ahead).state is DeliveryState.PENDING


@pytest.mark.parametrize("is_out", [False, True])
def test_an_older_one_that_is_routed_after_a_newer_one_is_not_sent(given, make, look, ids, is_out):
    older, newer = given.taken(2)
    newest = make(newer)
    if is_out:
        (out,) = given.claim().items
        given.settled(out, Outcome.DELIVERED)
    late = make(older)
    assert look(late).superseded_by == newest
    assert ids() == ([] if is_out else [newest])


def test_an_older_one_is_sent_where_the_newer_one_came_to_nothing(given, make, ids):
    older, newer = given.taken(2)
    make(newer)
    (out,) = given.claim().items
    given.settled(out, Outcome.REJECTED)
    assert ids() == []
    older_one = make(older)
    assert ids() == [older_one]


def test_a_person_may_send_what_was_superseded(run, store, given, make, ids, look):
    first, second = map(make, given.taken(2))
    assert run(store.acts.act_on_delivery(first, Act.RESEND, ANNA)).code == "done"
    assert sorted(ids()) == [first, second]
    assert look(second).state is DeliveryState.PENDING


def test_what_is_superseded_frees_its_line(given, make, ids):
    """With `order` beside it: the one whose turn it was is gone, and the newest has it."""
    for receipt in given.taken(3):
        newest = make(receipt, order=OTHER)
    assert ids() == [newest]


def test_its_receipt_is_finished(run, store, given, make):
    first, second = given.taken(2)
    make(first)
    assert run(store.client.zscore(store.keys.finished, first.id)) is None
    make(second)
    assert run(store.client.zscore(store.keys.finished, first.id)) is not None


def test_what_is_put_off_supersedes_when_it_is_made(run, store, given, make, look):
    run(store.registry.add_sinks({"books": "http"}, {"books": 1}))
    first, second = given.taken(2)
    waiting = make(first)
    put_off = new("later", second.id, latest=KEY)
    run(store.save_routed("router", [routed(second, put_off)]))
    assert look(waiting).state is DeliveryState.PENDING
    run(store.registry.add_sinks({"books": "http"}, {"books": 2}))
    (item,) = run(store.put_off.next("books", 10))
    run(store.put_off.make("books", "acme", "v1", [(item.member, put_off)]))
    assert look(waiting).superseded_by == "later"


def test_the_key_is_forgotten_a_week_after_it_was_delivered(run, store, given, make):
    make(given.taken(1)[0])
    key = store.keys.latest("books", KEY)
    assert run(store.client.pttl(key)) == -1
    (out,) = given.claim().items
    given.settle(settlement(out, Outcome.DELIVERED))
    assert 0 < run(store.client.pttl(key)) <= 7 * 86_400_000


def test_sending_an_older_one_again_does_not_keep_the_key_for_ever(run, store, given, make):
    older, _ = map(make, given.taken(2))
    (out,) = given.claim().items
    given.settle(settlement(out, Outcome.DELIVERED))
    run(store.acts.act_on_delivery(older, Act.RESEND, ANNA))
    (out,) = given.claim().items
    given.settle(settlement(out, Outcome.DELIVERED))
    assert 0 < run(store.client.pttl(store.keys.latest("books", KEY))) <= 7 * 86_400_000
