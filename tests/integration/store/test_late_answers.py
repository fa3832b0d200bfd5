"""An attempt is heard of when its delivery is not any more where the attempt took it from."""

import pytest

from relay.model import CompletedLookup, DecisionKind, DeliveryState, Outcome
from relay.store.acts import Act, Author
from relay.store.keys import account_queue, sink_queue
from relay.store.requests import sink_claim_request
from tests.integration.store.shapes import end_leases, new

ANNA = Author(by="anna")
ACCOUNT = account_queue("acme")


@pytest.fixture
def held_by_nobody(run, store, given):
    """Return a delivery as a worker had it whose lease ran out: nobody has taken it since."""
    first, second = given.claimed(2)
    run(end_leases(store, sink_queue("books")))
    (taken,) = given.claim("w2", max=1).items
    return second if taken.id == first.id else first


def move_to_ledger(run, store, id: str) -> None:
    run(store.registry.add_sinks({"books": "http", "ledger": "http"}))
    assert run(store.acts.move(id, ANNA, "ledger", "http", None)).code == "done"


def test_what_was_moved_and_is_told_to_be_delivered_is_not_sent_by_the_other_sink(
    run, store, given, look, held_by_nobody
):
    move_to_ledger(run, store, held_by_nobody.id)
    assert given.settled(held_by_nobody, Outcome.DELIVERED) == "settled"
    assert look(held_by_nobody.id).state is DeliveryState.DELIVERED
    assert given.claim(sink="ledger").items == []


def test_what_was_moved_is_not_given_up_by_who_had_it_before(run, store, given, look, held_by_nobody):
    move_to_ledger(run, store, held_by_nobody.id)
    assert given.settled(held_by_nobody, Outcome.REJECTED) == "stale"
    assert [one.id for one in given.claim(sink="ledger").items] == [held_by_nobody.id]


def test_what_was_held_and_moved_waits_in_its_new_sink_when_its_attempt_did_not_arrive(run, store, given, look):
    dead = given.leased()
    run(store.mark_sending([dead]))
    run(end_leases(store, sink_queue("books")))
    (again,) = given.claim("w2").items
    given.settled(again, Outcome.UNKNOWN, keeps_mark=True)
    move_to_ledger(run, store, dead.id)
    assert given.settled(dead, Outcome.RETRY, 2) == "settled"
    assert [one.id for one in given.claim(sink="ledger").items] == [dead.id]


@pytest.fixture
def rendered_anew(run, store, given):
    """Return a delivery as the worker had it that was thought dead; a person has it rendered anew, with a look-up."""
    delivery = given.leased()
    run(end_leases(store, sink_queue("books")))
    given.settled(given.claim("w2").items[0], Outcome.REJECTED)
    anew = new(delivery.id, delivery.id, content=b"")
    assert run(store.acts.render(delivery.id, ANNA, anew, ACCOUNT, "v2")).code == "done"
    return delivery


def test_what_waits_for_a_look_up_again_and_arrived_after_all_is_not_sent(run, store, given, look, rendered_anew):
    assert given.settled(rendered_anew, Outcome.DELIVERED, 2) == "settled"
    assert look(rendered_anew.id).state is DeliveryState.DELIVERED
    assert run(store.claim_lookups(ACCOUNT, "f1", 10, 60_000)).items == []


@pytest.mark.parametrize("answered", [True, False])
def test_what_arrived_while_it_is_looked_up_ends_with_the_look_up(run, store, given, look, rendered_anew, answered):
    (looked_up,) = run(store.claim_lookups(ACCOUNT, "f1", 10, 60_000)).items
    assert given.settled(rendered_anew, Outcome.DELIVERED, 2) == "stale"
    if answered:
        run(store.complete_lookups(ACCOUNT, [CompletedLookup(delivery=looked_up, content=b"{}")]))
    else:
        given.settled_lookup(looked_up)
    assert look(looked_up.id).state is DeliveryState.DELIVERED
    assert given.claim("w3").items == []


def test_what_arrived_is_not_sent_again_because_a_newer_claim_was_never_answered(run, store, given, look):
    late = given.leased()
    run(end_leases(store, sink_queue("books")))
    given.claim("w2")  # its answer is lost
    assert given.settled(late, Outcome.DELIVERED) == "stale"
    request = sink_claim_request("books", "w2+", 10, 60_000, 0, [], unheard=["w2"])
    assert run(store.claim_deliveries(request)).items == []
    assert look(late.id).state is DeliveryState.DELIVERED


def test_what_was_cancelled_is_not_sent_because_its_claim_was_never_answered(run, store, given, look):
    taken = given.leased(token="w2")  # the answer is lost
    assert run(store.acts.act_on_delivery(taken.id, Act.CANCEL, ANNA)).code == "asked"
    request = sink_claim_request("books", "w2+", 10, 60_000, 0, [], unheard=["w2"])
    assert run(store.claim_deliveries(request)).items == []
    found = look(taken.id)
    assert (found.state, found.reason) == (DeliveryState.CANCELLED, "cancelled by anna")


def test_an_attempt_that_cost_nothing_does_not_replace_in_the_story_what_a_person_did(run, store, reader, given):
    delivery = given.leased()
    later = {"kind": DecisionKind.WAIT, "consumed": False}
    given.settled(delivery, Outcome.RETRY, delay_ms=3_600_000, **later)
    run(store.acts.act_on_delivery(delivery.id, Act.RETRY, ANNA))
    given.settled(given.claim("w2").items[0], Outcome.RETRY, 2, **later)
    reasons = [attempt.reason for attempt in run(reader.story(delivery.id))]
    assert reasons == ["so it was", "made due at once by anna", "so it was"]


def test_the_lease_of_a_dead_worker_runs_out_while_its_sink_is_paused(run, store, given, look):
    delivery = given.leased()
    run(store.acts.pause("books", ANNA, None))
    run(store.acts.act_on_delivery(delivery.id, Act.CANCEL, ANNA))
    assert given.claim("w2").items == []
    assert run(store.client.zscore(store.keys.wake, sink_queue("books"))) is not None
    run(end_leases(store, sink_queue("books")))
    given.claim("w2")
    assert look(delivery.id).state is DeliveryState.CANCELLED
