"""A completed look-up moves its delivery from the account's queue to its sink's, or ends it."""

import pytest

from relay.model import CompletedLookup, DeliveryState, Outcome
from relay.store.acts import Act, Author
from relay.store.keys import account_queue, sink_queue
from tests.integration.store.shapes import new, routed, settlement

QUEUE = account_queue("acme")
LEASE = 60_000


@pytest.fixture
def waiting(run, store, given):
    """Make a receipt whose deliveries wait for a look-up."""

    def make(*sinks: str) -> list[str]:
        (receipt,) = given.taken()
        made = [new(f"{receipt.id}-{sink}", receipt.id, sink=sink, content=b"", needs_lookup=True) for sink in sinks]
        run(store.save_routed("router", [routed(receipt, *made)]))
        return [delivery.id for delivery in made]

    return make


@pytest.fixture
def claim(run, store):
    return lambda token="f1", max=50: run(store.claim_lookups(QUEUE, token, max, LEASE))


@pytest.fixture
def complete(run, store):
    def complete(*moved: CompletedLookup):
        return run(store.complete_lookups(QUEUE, moved))

    return complete


def test_it_waits_in_the_account_s_queue_and_in_no_sink_s(run, reader, waiting, claim, given, look):
    (id,) = waiting("books")
    assert given.claim().items == []
    assert [(one.waiting, one.in_flight) for one in run(reader.accounts(["acme"]))] == [(1, 0)]
    assert look(id).due_at is not None
    (delivery,) = claim().items
    assert (delivery.id, delivery.sink, delivery.source) == (id, "books", "acme")
    assert look(id).in_flight


def test_it_moves_on_with_its_content(run, reader, waiting, claim, complete, given):
    waiting("books", "ledger")
    queues, stale = complete(*[CompletedLookup(delivery=d, content=d.sink.encode()) for d in claim().items])
    assert (sorted(queues), stale) == ([sink_queue("books"), sink_queue("ledger")], [])
    assert [(one.waiting, one.in_flight) for one in run(reader.accounts(["acme"]))] == [(0, 0)]
    for sink in ("books", "ledger"):
        (sent,) = given.claim(sink=sink).items
        assert (sent.content, sent.attempts, sent.deaths) == (sink.encode(), 0, 0)


def test_no_bell_is_set_and_the_queues_are_returned_each_time(run, store, waiting, claim, complete):
    """The caller begins with them itself; the ticker finds what it does not begin with."""
    for _ in range(2):
        waiting("books")
        (delivery,) = claim().items
        assert complete(CompletedLookup(delivery=delivery, content=b"x")) == ([sink_queue("books")], [])
        assert run(store.client.exists(store.keys.bell(sink_queue("books")))) == 0
    assert sink_queue("books") in run(store.look("w1")).queues


@pytest.mark.parametrize("state", [DeliveryState.SKIPPED, DeliveryState.DEAD])
def test_it_may_end_there(run, store, reader, waiting, claim, complete, look, state):
    (id,) = waiting("books")
    (delivery,) = claim().items
    complete(CompletedLookup(delivery=delivery, content=b"", state=state, reason="lead 1 has no contact"))
    found = look(id)
    assert (found.state, found.reason, found.finished_at is not None) == (state, "lead 1 has no contact", True)
    assert run(reader.counters())["delivery", "books", state] == 1
    finished = run(store.client.zcard(store.keys.finished if state == "skipped" else store.keys.finished_dead))
    assert finished == 1


def test_a_stale_token_moves_nothing(run, store, waiting, claim, complete, look):
    (id,) = waiting("books")
    (old,) = claim("f1").items
    run(store.client.zadd(store.keys.leased(QUEUE), {id: 1}))
    (fresh,) = claim("f2").items
    assert complete(CompletedLookup(delivery=old, content=b"old")) == ([], [id])
    assert look(id).in_flight
    assert complete(CompletedLookup(delivery=fresh, content=b"new")) == ([sink_queue("books")], [])
    assert complete(CompletedLookup(delivery=fresh, content=b"again")) == ([], [id])


def test_a_failed_look_up_is_put_off_and_consumes_no_attempt(run, store, reader, waiting, claim, look):
    (id,) = waiting("books")
    (delivery,) = claim().items
    item = settlement(delivery, Outcome.THROTTLED, reason="429", delay_ms=LEASE)
    assert run(store.postpone_lookups(QUEUE, [item], asked=True)) == ["settled"]
    found = look(id)
    assert (found.state, found.reason, found.attempts, found.in_flight) == (DeliveryState.PENDING, "429", 0, False)
    assert claim().items == []
    assert [attempt.outcome for attempt in run(reader.story(id))] == [Outcome.THROTTLED]
    assert run(reader.counters())["attempt", QUEUE, "throttled"] == 1


def test_a_refusal_closes_the_account_s_gate_alone_and_an_answer_opens_it(run, store, waiting, claim, complete, given):
    for _ in range(2):
        waiting("books")
    given.pending()
    run(
        store.postpone_lookups(
            QUEUE, [settlement(claim(max=1).items[0], Outcome.BLOCKED, gate_ms=LEASE, gate_sure=True)], asked=True
        )
    )
    assert claim().items == []
    assert len(given.claim().items) == 1
    gate = store.keys.gate(QUEUE)
    run(store.client.hset(gate, "until", 1))
    (probe,) = claim().items
    complete(CompletedLookup(delivery=probe, content=b"x"))
    assert run(store.client.exists(gate)) == 0
    assert len(claim().items) == 1


def test_the_fifth_death_buries_it_at_its_sink(run, store, waiting, claim, look):
    (id,) = waiting("books")
    for n in range(5):
        assert len(claim(f"f{n}").items) == 1
        run(store.client.zadd(store.keys.leased(QUEUE), {id: 1}))
    assert claim("last").poisoned == [id]
    assert look(id).state is DeliveryState.DEAD
    assert run(store.acts.act_on_delivery(id, Act.RESEND, Author(by="anna"))).code == "done"
    (again,) = claim("anew").items
    assert (again.id, again.deaths) == (id, 0)


def test_a_script_repeated_by_the_router_makes_no_second(run, store, given, claim):
    (receipt,) = given.taken()
    part = routed(receipt, new("d", receipt.id, content=b"", needs_lookup=True), last=False)
    run(store.save_routed("router", [part]))
    run(store.save_routed("router", [routed(receipt, new("d", receipt.id, content=b"", needs_lookup=True))]))
    assert len(claim().items) == 1
