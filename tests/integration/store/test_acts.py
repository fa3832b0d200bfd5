"""A person acts on deliveries: each act checks what it acts on, in the script that acts."""

import pytest

from relay.model import CompletedLookup, DecisionKind, DeliveryState, Outcome
from relay.operations.acts import act_on_deliveries
from relay.store.acts import Act, Author
from tests.integration.store.shapes import new, routed

FAILED_LATER = {"kind": DecisionKind.RETRY, "state": DeliveryState.PENDING, "delay_ms": 3_600_000}


@pytest.fixture
def act(run, store):
    """Act on a delivery. Returns the line about it; None where it is the usual one of what is done."""
    usual = {"due now", "cancelled", "delivered", "will be sent again"}

    def do(id: str, act: Act, why: str = "", by: str = "anna") -> str | None:
        (result,) = run(act_on_deliveries(store, [id], act, Author(by=by, why=why)))
        assert result.done or result.message not in usual
        return None if result.message in usual else result.message

    return do


@pytest.fixture
def confirm(act):
    """Confirm that a delivery arrived."""
    return lambda id: act(id, Act.CONFIRM)


@pytest.fixture
def resend(act):
    """Have a delivery sent again."""
    return lambda id: act(id, Act.RESEND)


@pytest.fixture
def retry(act):
    """Make a delivery due at once."""
    return lambda id: act(id, Act.RETRY)


@pytest.fixture
def cancel(act):
    """Give a delivery up."""
    return lambda id: act(id, Act.CANCEL)


@pytest.fixture
def waiting(given):
    """Return a delivery that is due in an hour, after a failed attempt."""
    delivery = given.leased()
    given.settled(delivery, Outcome.RETRY, **FAILED_LATER)
    return delivery


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
    assert "sink:books" not in run(store.look("w1")).queues
    resend(id)
    assert "sink:books" in run(store.look("w1")).queues


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


@pytest.mark.parametrize("kind", list(Act))
def test_what_is_not_there_or_is_no_delivery_is_said_so(given, act, kind):
    (id,) = given.accepted()
    assert "there is no such delivery" in act("nothing", kind)
    assert act(id, kind) == act(f"{id}.0", kind)
    assert "`relay events show`" in act(id, kind)


def test_what_waits_for_its_next_attempt_is_due_at_once(run, reader, given, waiting, retry):
    assert given.claim("w2").items == []
    assert retry(waiting.id) is None
    assert run(reader.story(waiting.id))[-1].reason == "made due at once by anna"
    (again,) = given.claim("w2").items
    assert (again.id, again.attempts) == (waiting.id, 1)


def test_a_second_person_who_retries_is_told_that_it_is_due(run, reader, waiting, retry):
    retry(waiting.id)
    assert retry(waiting.id) == "it is due already, and leaves as soon as its sink has room"
    assert len(run(reader.story(waiting.id))) == 2


def test_what_is_in_flight_is_not_retried(given, retry):
    assert "in flight right now" in retry(given.leased().id)


def test_what_is_made_due_of_a_closed_sink_says_what_keeps_it(given, waiting, retry):
    given.settled(given.leased(), Outcome.BLOCKED, gate_ms=60_000, gate_sure=True)
    assert retry(waiting.id) == "due now, but its sink is closed: so it was"


def test_somebody_looks_at_what_is_retried_without_a_bell(run, store, waiting, retry):
    run(store.clear_bell("sink:books"))
    assert "sink:books" not in run(store.look("w1")).queues
    retry(waiting.id)
    assert "sink:books" in run(store.look("w1")).queues


def test_what_waits_is_cancelled_and_its_reason_says_by_whom_and_why(run, reader, given, waiting, act, look):
    assert act(waiting.id, Act.CANCEL, "wrong price") is None
    found = look(waiting.id)
    assert (found.state, found.reason) == (DeliveryState.CANCELLED, "cancelled by anna: wrong price")
    assert found.finished_at is not None
    assert run(reader.story(waiting.id))[-1].reason == "cancelled by anna: wrong price"
    assert given.claim("w2").items == []


def test_what_is_held_or_dead_is_cancelled(after, cancel, look):
    held, dead = after(Outcome.UNKNOWN), after(Outcome.REJECTED)
    assert cancel(held) is cancel(dead) is None
    assert look(held).reason == "cancelled by anna; an earlier attempt may have arrived"
    assert (look(dead).state, look(dead).reason) == (DeliveryState.CANCELLED, "cancelled by anna")


def test_a_cancelled_dead_letter_is_removed_as_what_is_finished(run, store, after, cancel):
    cancel(after(Outcome.REJECTED))
    assert run(store.retention.apply(0, 3_600_000, 0)).removed == 1


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.SKIPPED])
def test_what_is_settled_is_not_cancelled(after, cancel, outcome):
    assert "only a pending, held or dead delivery" in cancel(after(outcome))


def test_what_is_cancelled_in_flight_is_not_tried_again(run, reader, given, cancel, look):
    delivery = given.leased()
    assert cancel(delivery.id) == "it is in flight and may arrive; whatever comes of that, it is not sent again"
    assert "asked for already" in cancel(delivery.id)
    assert look(delivery.id).in_flight
    given.settled(delivery, Outcome.RETRY)
    found = look(delivery.id)
    assert (found.state, found.reason) == (
        DeliveryState.CANCELLED, "cancelled by anna; the attempt that was out: so it was"
    )  # fmt: skip
    assert [attempt.reason for attempt in run(reader.story(delivery.id))] == [
        "cancelling asked for by anna", "so it was"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "state"), [(Outcome.DELIVERED, "delivered"), (Outcome.UNKNOWN, "held"), (Outcome.REJECTED, "dead")]
)
def test_what_came_of_an_attempt_is_told_though_cancelling_was_asked_for(given, cancel, look, outcome, state):
    delivery = given.leased()
    cancel(delivery.id)
    given.settled(delivery, outcome)
    assert look(delivery.id).state == state


def test_nothing_leaves_of_what_was_cancelled_before_its_mark(run, store, given, cancel, look):
    delivery = given.leased()
    cancel(delivery.id)
    assert run(store.mark_sending([delivery])) == [False]
    found = look(delivery.id)
    assert (found.state, found.in_flight) == (DeliveryState.CANCELLED, False)
    assert "nothing of the attempt that was out has left" in found.reason


def test_what_was_cancelled_ends_when_its_worker_died(run, store, given, cancel, look):
    delivery = given.leased()
    cancel(delivery.id)
    run(store.client.zadd(store.keys.leased("sink:books"), {delivery.id: 1}))
    assert given.claim("w2").items == []
    found = look(delivery.id)
    assert (found.state, "it may have arrived" in found.reason) == (DeliveryState.CANCELLED, True)


def test_a_resent_delivery_forgets_that_it_was_to_be_cancelled(given, cancel, resend, look):
    delivery = given.leased()
    cancel(delivery.id)
    given.settled(delivery, Outcome.UNKNOWN)
    resend(delivery.id)
    (again,) = given.claim("w2").items
    given.settled(again, Outcome.RETRY, 2)
    assert look(delivery.id).state is DeliveryState.PENDING


def test_a_look_up_is_cancelled_too(run, store, given, cancel, look):
    waits, answered, failed = given.waiting_for_lookups(3)
    assert cancel(waits) is None
    claimed = {d.id: d for d in run(store.claim_lookups("account:acme", "w1", 9, 60_000)).items}
    cancel(answered)
    cancel(failed)
    run(store.complete_lookups("account:acme", [CompletedLookup(delivery=claimed[answered], content=b"{}")]))
    given.settled_lookup(claimed[failed])
    assert {look(id).state for id in (waits, answered, failed)} == {DeliveryState.CANCELLED}


def test_every_act_is_an_entry_of_the_audit_and_no_refusal_is(run, store, act, waiting, after):
    held = after(Outcome.UNKNOWN)
    act(waiting.id, Act.RETRY, "mended")
    act(waiting.id, Act.CONFIRM)
    act(held, Act.CONFIRM, by="boris")
    newest, first = run(store.acts.audit(10))
    assert (first.act, first.what, first.before, first.by, first.why) == (
        "retry", f"delivery {waiting.id}", "pending", "anna", "mended"
    )  # fmt: skip
    assert (newest.act, newest.what, newest.before, newest.by) == ("confirm", f"delivery {held}", "held", "boris")
    assert newest.at >= first.at > 1_700_000_000_000
    assert run(store.acts.audit(1)) == [newest]
    assert run(store.acts.audit(10, before=newest.id)) == [first]


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
