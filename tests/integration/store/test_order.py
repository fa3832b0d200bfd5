"""`order`: of the deliveries with one key each waits while one that arrived before it is pending.

What is promised is about those that are made: one that is routed after a later one has left goes after it.
"""

import random

import pytest
import uuid_utils

from relay.model import CompletedLookup, DeliveryState, Outcome, ReceiptState
from relay.operations.next_step import find_next_step
from relay.operations.story import read_delivery_story
from relay.store.acts import Act, Author
from relay.store.keys import account_queue, sink_queue
from relay.store.requests import sink_claim_request
from tests.integration.invariants import broken_invariants
from tests.integration.store.shapes import DECIDED, end_leases, hook, new, routed, settlement

KEY, OTHER = "a" * 16, "b" * 16
ANNA = Author(by="anna")


@pytest.fixture
def make(run, store, given):
    """Make deliveries of one key, d0, d1… as their hooks arrived; routed in the order of `routes`."""

    def make(n: int, routes=None, **more) -> list[str]:
        receipts = given.taken(n)
        for at in range(n) if routes is None else routes:
            one = new(f"d{at}", receipts[at].id, **{"order": KEY, **more})
            run(store.save_routed("router", [routed(receipts[at], one)]))
        return [f"d{at}" for at in range(n)]

    return make


@pytest.fixture
def ids(given):
    """Claim, and return what was taken."""
    return lambda **more: [one.id for one in given.claim(**more).items]


@pytest.fixture(autouse=True)
def nothing_is_broken(run, store):
    yield
    assert run(broken_invariants(store)) == []


def test_one_goes_after_the_other(make, given):
    make(3)
    for expected in ("d0", "d1", "d2"):
        (one,) = given.claim().items
        assert one.id == expected
        given.settled(one, Outcome.DELIVERED)
    assert given.claim().items == []


def test_other_keys_sinks_and_deliveries_without_one_do_not_wait(run, store, given, ids):
    (receipt,) = given.taken(1)
    made = [new("d0", receipt.id, order=KEY), new("d1", receipt.id, order=KEY), new("d2", receipt.id, order=OTHER)]
    made += [new("d3", receipt.id), new("d4", receipt.id, sink="papers", order=KEY)]
    run(store.save_routed("router", [routed(receipt, *made)]))
    assert ids() == ["d0", "d2", "d3"]
    assert ids(sink="papers") == ["d4"]


def test_of_one_receipt_the_place_decides(run, store, given):
    """Whatever their ids are."""
    (receipt,) = given.taken(1)
    made = [new(f"d{9 - place}", receipt.id, place, order=KEY) for place in (2, 0, 10)]
    run(store.save_routed("router", [routed(receipt, *made)]))
    found = []
    while taken := given.claim().items:
        found += [one.id for one in taken]
        given.settled(taken[0], Outcome.DELIVERED)
    assert found == ["d9", "d7", "d-1"]


def test_a_retry_holds_the_line(run, store, given, make, ids):
    make(2)
    (first,) = given.claim().items
    given.settled(first, Outcome.RETRY, delay_ms=60_000)
    assert ids() == []
    run(store.acts.act_on_delivery("d0", Act.RETRY, ANNA))
    assert ids() == ["d0"]


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.SKIPPED, Outcome.REJECTED, Outcome.UNKNOWN])
def test_every_other_state_frees_it_in_the_same_call(make, given, outcome):
    make(2)
    (first,) = given.claim().items
    answers, claim = given.settle_and_claim("w1", settlement(first, outcome))
    assert answers == ["settled"]
    assert [one.id for one in claim.items] == ["d1"]
    assert DECIDED[outcome][1] is not DeliveryState.PENDING


def test_cancelling_frees_it(run, store, make, ids):
    make(3)
    for cancelled in ("d1", "d0"):  # one that waits, and the one that has its turn
        assert run(store.acts.act_on_delivery(cancelled, Act.CANCEL, ANNA)).code == "done"
    assert ids() == ["d2"]


def test_a_worker_that_dies_five_times_frees_it(make, run, store, given, ids):
    make(2)
    for _ in range(5):
        assert ids() == ["d0"]
        run(end_leases(store, "sink:books"))
    claim = given.claim()
    assert (claim.poisoned, [one.id for one in claim.items]) == (["d0"], ["d1"])


def test_an_earlier_one_that_is_routed_later_goes_first_where_the_later_one_waits(make, given, ids):
    make(3, routes=[2, 1, 0])
    assert ids() == ["d0"]


def test_it_goes_next_where_the_later_one_has_left(run, store, given):
    """And before that, where it comes back to be tried again."""
    earlier, later = given.taken(2)
    run(store.save_routed("router", [routed(later, new("late", later.id, order=KEY))]))
    (out,) = given.claim().items
    run(store.save_routed("router", [routed(earlier, new("early", earlier.id, order=KEY))]))
    assert given.claim().items == []
    given.settled(out, Outcome.RETRY)
    (first,) = given.claim().items
    assert first.id == "early"
    given.settled(first, Outcome.DELIVERED)
    assert [one.id for one in given.claim().items] == ["late"]


def test_a_lease_that_runs_out_lets_an_earlier_one_go_first(run, store, given, ids):
    earlier, later = given.taken(2)
    run(store.save_routed("router", [routed(later, new("late", later.id, order=KEY))]))
    (out,) = given.claim().items
    run(store.save_routed("router", [routed(earlier, new("early", earlier.id, order=KEY))]))
    run(end_leases(store, "sink:books"))
    assert ids() == ["early"]
    assert given.settled(out, Outcome.DELIVERED) == "settled"  # its worker lives after all
    assert ids() == []


def test_a_retry_of_a_lease_that_ran_out_waits_still(run, store, given, ids):
    earlier, later = given.taken(2)
    run(store.save_routed("router", [routed(later, new("late", later.id, order=KEY))]))
    (out,) = given.claim().items
    run(store.save_routed("router", [routed(earlier, new("early", earlier.id, order=KEY))]))
    run(end_leases(store, "sink:books"))
    (first,) = given.claim().items
    assert given.settled(out, Outcome.RETRY) == "settled"
    assert ids() == []
    given.settled(first, Outcome.DELIVERED)
    assert ids() == ["late"]


def test_nothing_of_it_is_claimed_ahead_of_a_slot(run, store, given):
    given.leased()
    (receipt,) = given.taken(1)
    made = [new("in order", receipt.id, order=KEY), new("in none", receipt.id)]
    run(store.save_routed("router", [routed(receipt, *made)]))
    claim = run(store.claim_deliveries(sink_claim_request("books", "w1:1", 1, 60_000, 1, (), ahead=2)))
    assert (claim.ahead, [one.id for one in claim.items]) == (1, ["in none"])


def test_a_batch_has_one_of_each_key(run, store, given):
    (receipt,) = given.taken(1)
    made = [new(f"{key[0]}{n}", receipt.id, order=key) for n in range(2) for key in (KEY, OTHER)]
    run(store.save_routed("router", [routed(receipt, *made)]))
    request = sink_claim_request("books", "w1", 10, 60_000, 1, (), (10, 2))
    claim = run(store.claim_deliveries(request))
    assert (claim.batched, sorted(one.id for one in claim.items)) == (True, ["a0", "b0"])
    items = [settlement(one, Outcome.DELIVERED) for one in claim.items]
    _, claim = run(store.settle_and_claim("books", items, {}, request))
    assert sorted(one.id for one in claim.items) == ["a1", "b1"]


def test_what_is_made_is_claimed_in_the_same_call(run, store, given):
    (receipt,) = given.taken(1)
    made = [new("d0", receipt.id, order=KEY), new("d1", receipt.id, order=KEY)]
    request = sink_claim_request("books", "w1", 10, 60_000, 10, ())
    _, _, (claim,) = run(store.save_routed_and_claim("router", [routed(receipt, *made)], [request]))
    assert [one.id for one in claim.items] == ["d0"]


def test_a_look_up_is_made_in_its_turn(run, store, given, make):
    make(2, needs_lookup=True, content=b"")
    queue = account_queue("acme")
    (first,) = run(store.claim_lookups(queue, "w1", 10, 60_000)).items
    queues, _ = run(store.complete_lookups(queue, [CompletedLookup(delivery=first, content=b"found")]))
    assert queues == [sink_queue("books")]
    assert run(store.claim_lookups(queue, "w2", 10, 60_000)).items == []
    (out,) = given.claim().items
    given.settled(out, Outcome.DELIVERED)
    assert [one.id for one in run(store.claim_lookups(queue, "w3", 10, 60_000)).items] == ["d1"]


def test_one_that_is_sent_again_is_in_its_place_among_those_that_wait(run, store, given, make, ids):
    make(3)
    (first,) = given.claim().items
    given.settled(first, Outcome.REJECTED)
    (second,) = given.claim().items
    run(store.acts.act_on_delivery("d0", Act.RESEND, ANNA))
    assert ids() == []  # d1 is out
    given.settled(second, Outcome.DELIVERED)
    assert ids() == ["d0"]


def test_a_person_cannot_make_one_due_before_its_turn(run, store, make):
    make(2)
    assert run(store.acts.act_on_delivery("d1", Act.RETRY, ANNA)).code == "ordered"


def test_one_that_is_moved_waits_in_the_line_of_the_other_sink(run, store, given, make, ids):
    run(store.registry.add_sinks({"books": "http", "papers": "http"}))
    make(3)
    for id in ("d1", "d0"):
        assert run(store.acts.move(id, ANNA, "papers", "http", None)).code == "done"
    assert ids() == ["d2"]
    assert ids(sink="papers") == ["d0"]


def test_a_replay_makes_it_in_its_place(run, store, given, make, ids):
    receipts = given.taken(2)
    run(store.save_routed("router", [routed(one, state=ReceiptState.UNROUTED) for one in receipts]))
    for at in (1, 0):
        run(store.acts.replay(routed(receipts[at], new(f"d{at}", receipts[at].id, order=KEY)), ANNA))
    assert ids() == ["d0"]


def test_what_waits_says_so(run, store, reader, make, look):
    make(3)
    assert [look(id).waits_for for id in ("d0", "d1", "d2")] == ["", "d0", "d0"]
    assert look("d1").due_at is None
    story = run(read_delivery_story(reader, "d1"))
    step = find_next_step(story.deliveries[0].delivery, story.at)
    assert (step.what, step.command) == ("turn", "relay deliveries show d0")
    assert "waits for delivery d0" in step.text
    run(store.registry.add_sinks({"books": "http"}))
    (books,) = run(reader.sinks())
    assert (books.waiting, books.ordered, books.looking_up, books.pending) == (3, 2, 0, 3)


def test_those_without_a_key_cost_no_command_more(run, store, given, spent):
    """And one with a key five while it is made, three when it is settled: none waits behind it."""

    def cost(**more) -> int:
        (receipt,) = given.taken(1)
        before = new(f"d{receipt.id}", receipt.id, **more)
        spent()
        run(store.save_routed("router", [routed(receipt, before)]))
        (one,) = given.claim().items
        given.settle_and_claim("w1", settlement(one, Outcome.DELIVERED))
        return spent()[1]

    for _ in range(2):  # the first finds scripts that the server does not know
        without, with_key = cost(), cost(order=KEY)
    assert with_key - without <= 8


@pytest.mark.parametrize("seed", range(4))
def test_workers_die_and_sinks_fail_and_each_key_goes_in_order(run, store, given, seed):
    """Made in any order before anything leaves, what arrived first is delivered first; nothing is lost or doubled."""
    chance = random.Random(seed)
    receipts = given.taken(24)
    parts = [routed(one, new(f"d{n:02}", one.id, order=(KEY, OTHER)[n % 2])) for n, one in enumerate(receipts)]
    chance.shuffle(parts)
    while parts:
        n = chance.randint(1, 4)
        run(store.save_routed("router", parts[:n]))
        del parts[:n]
    delivered, deaths = [], {}
    while len(delivered) < len(receipts):
        taken = given.claim(f"w{chance.randint(1, 3)}", max=chance.randint(1, 3)).items
        for one in taken:
            what = chance.choice(["dies", "fails", "works", "works"])
            if what == "dies" and deaths.get(one.id, 0) < 2:
                deaths[one.id] = deaths.get(one.id, 0) + 1
                run(end_leases(store, "sink:books"))
                break
            outcome = Outcome.RETRY if what == "fails" else Outcome.DELIVERED
            if given.settled(one, outcome) == "settled" and outcome is Outcome.DELIVERED:
                delivered.append(one.id)
        assert run(broken_invariants(store)) == []
    assert sorted(delivered) == sorted(set(delivered))
    for key in (0, 1):
        of_key = [id for id in delivered if int(id[1:]) % 2 == key]
        assert of_key == sorted(of_key)


def test_ids_as_they_are_go_in_order_and_a_line_of_few_takes_little(run, store, given):
    """Several hooks of one millisecond, whose ids are longer than those of the other tests."""
    ids = [str(uuid_utils.uuid7()) for _ in range(5)]
    run(store.accept([hook(id, id.encode()) for id in ids]))
    receipts = run(store.claim_receipts("router", 10, 60_000)).items
    for one in sorted(receipts, key=lambda receipt: receipt.id, reverse=True):
        run(store.save_routed("router", [routed(one, new(f"d{one.id[1:]}", one.id, order=KEY))]))
    assert run(store.client.object("encoding", store.keys.line("books", KEY))) == b"listpack"
    for id in ids:
        (first,) = given.claim().items
        assert first.event_id == f"{id}.0"
        given.settled(first, Outcome.DELIVERED)
