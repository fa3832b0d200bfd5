"""A person confirms that a delivery arrived, or has it sent again."""

import pytest

from relay.model import DeliveryState, Outcome
from tests.integration.store.shapes import new, routed


@pytest.fixture
def confirm(run, store):
    """Confirm that a delivery arrived."""
    return lambda id: run(store.confirm(id, "anna"))


@pytest.fixture
def resend(run, store):
    """Have a delivery sent again."""
    return lambda id: run(store.resend(id, "anna"))


@pytest.fixture
def after(given, run, store):
    """Settle a delivery whose bytes had left with an outcome. Returns its id."""

    def bring(outcome) -> str:
        delivery = given.leased()
        run(store.mark_sending([delivery]))
        given.settled(delivery, outcome, keeps_mark=outcome is Outcome.UNKNOWN)
        return delivery.id

    return bring


def test_what_was_held_is_delivered_when_a_person_saw_it(run, reader, after, confirm, look):
    id = after(Outcome.UNKNOWN)
    assert confirm(id) is None
    found = look(id)
    assert (found.state, found.reason) == (DeliveryState.DELIVERED, "confirmed by anna")
    last = run(reader.story(id))[-1]
    assert (last.number, last.outcome, last.reason) == (0, Outcome.DELIVERED, "confirmed by anna")


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.REJECTED, Outcome.SKIPPED])
def test_what_is_sent_again_begins_anew(run, reader, given, after, resend, look, outcome):
    id = after(outcome)
    assert resend(id) is None
    assert look(id).state is DeliveryState.PENDING
    assert run(reader.story(id))[-1].reason == "resent by anna"
    (again,) = given.claim("w2").items
    assert (again.id, again.attempts, again.sending, again.sends) == (id, 0, False, 0)
    given.settled(again, Outcome.DELIVERED, 2)
    assert look(id).state is DeliveryState.DELIVERED


def test_somebody_looks_at_what_is_sent_again_without_a_bell(run, store, after, resend):
    id = after(Outcome.REJECTED)
    run(store.clear_bell("sink:books"))
    assert "sink:books" not in run(store.set_bells())
    resend(id)
    assert "sink:books" in run(store.set_bells())


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.REJECTED, Outcome.SKIPPED, Outcome.RETRY])
def test_only_what_is_held_can_be_confirmed(after, confirm, look, outcome):
    id = after(outcome)
    state = look(id).state
    assert confirm(id) == f"it is {state}: only a held delivery can be confirmed"
    assert look(id).state is state


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.RETRY])
def test_what_arrived_or_waits_is_not_sent_again(after, resend, look, outcome):
    id = after(outcome)
    state = look(id).state
    assert resend(id) == f"it is {state}: only a held, dead, cancelled or skipped delivery can be resent"
    assert look(id).state is state


def test_what_is_not_there_is_said_so(confirm, resend):
    assert confirm("nothing") == resend("nothing") == "there is no such delivery"


def test_what_was_never_rendered_cannot_be_sent(run, store, given, resend, look):
    (receipt,) = given.taken()
    delivery = new("d", receipt.id, content=b"", state=DeliveryState.SKIPPED, reason="no phone")
    run(store.save_routed("router", [routed(receipt, delivery)]))
    assert "no content to send: mend the route" in resend("d")
    assert look("d").state is DeliveryState.SKIPPED


def test_a_late_answer_to_what_a_person_had_sent_again_changes_nothing(given, run, store, resend, look):
    first = given.leased()
    given.settled(first, Outcome.UNKNOWN)
    resend(first.id)
    (again,) = given.claim("w2").items
    assert given.settled(first, Outcome.REJECTED, 3) == "stale"
    assert look(again.id).in_flight
