"""What a worker does with one delivery after another: it looks up what may have arrived, and batches what waits."""

import pytest

from relay.errors import StoreUnavailable
from relay.model import DeliveryState, Limit, Outcome, Result
from relay.store.keys import sink_queue

from .draining import Scripted, drain, put

UNKNOWN, RETRY, DELIVERED = Outcome.UNKNOWN, Outcome.RETRY, Outcome.DELIVERED
LOST = Result(outcome=UNKNOWN, reason="no answer in time")  # then it is looked up after the sink's own time
DEFECT = ValueError("a defect")


@pytest.fixture
def drained(run, store, namespace, reader):
    """Drain one delivery to a sink; give what became of it."""

    def go(sink):
        run(drain(store, namespace, sink))
        (found,) = run(reader.deliveries(["d00000"]))
        return found

    return go


@pytest.fixture
def waiting(run, store):
    """Make one delivery wait."""
    put(run, store, [b"{}"])


@pytest.mark.parametrize(
    ("finds", "sends", "calls", "state"),
    [
        ([DELIVERED], [LOST], ["send", "lookup"], "delivered"),
        ([RETRY], [LOST, DELIVERED], ["send", "lookup", "send"], "delivered"),
        ([RETRY, DELIVERED], [LOST, LOST], ["send", "lookup", "send", "lookup"], "delivered"),
        ([Outcome.THROTTLED, DELIVERED], [LOST], ["send", "lookup", "lookup"], "delivered"),
        ([Outcome.BLOCKED, DELIVERED], [LOST], ["send", "lookup", "lookup"], "delivered"),
        ([UNKNOWN], [LOST], ["send", "lookup"], "held"),
        ([DEFECT], [LOST], ["send", "lookup"], "held"),
        ([Outcome.REJECTED], [LOST], ["send", "lookup"], "dead"),
        ([], [RETRY, DELIVERED], ["send", "send"], "delivered"),
        ([], [Outcome.THROTTLED, DELIVERED], ["send", "send"], "delivered"),
        ([DELIVERED], [DEFECT], ["send", "lookup"], "delivered"),
    ],
)
def test_what_may_have_arrived_is_looked_up_and_never_just_sent(waiting, drained, finds, sends, calls, state):
    sink = Scripted(finds=finds, sends=sends, on_unknown="lookup", attempts=9)
    assert (drained(sink).state, sink.calls) == (state, calls)


def test_it_is_looked_up_though_no_attempt_is_left_and_then_not_sent(waiting, drained):
    sink = Scripted(finds=[RETRY], sends=[LOST], on_unknown="lookup", attempts=1)
    found = drained(sink)
    assert (found.state, sink.calls) == (DeliveryState.DEAD, ["send", "lookup"])
    assert found.reason == "gave up after 1 attempt: so it was"


def test_a_sink_knows_how_often_the_bytes_left(waiting, drained):
    sink = Scripted(finds=[RETRY], sends=[LOST, RETRY, DELIVERED], on_unknown="lookup", attempts=9)
    drained(sink)
    assert [(seen.sending, seen.sends) for seen in sink.seen] == [(False, 0), (True, 1), (False, 2)]


@pytest.mark.parametrize(
    ("on_unknown", "calls", "state"),
    [("lookup", ["lookup"], "delivered"), ("hold", [], "held"), ("retry", ["send"], "delivered")],
)
def test_what_a_dead_worker_was_sending_is_not_just_sent_again(run, store, waiting, drained, on_unknown, calls, state):
    (dying,) = run(store.claim_deliveries("books", "dead", 1, 60_000, 8, ())).items
    assert run(store.mark_sending(dying))
    run(store.client.zadd(store.keys.leased(sink_queue("books")), {dying.id: 1}))  # as if its lease had run out
    sink = Scripted(on_unknown=on_unknown)
    assert (drained(sink).state, sink.calls) == (state, calls)


def test_a_sink_that_cannot_reach_the_store_has_sent_nothing(waiting, drained):
    sink = Scripted(sends=[StoreUnavailable("away"), DELIVERED], on_unknown="hold")
    assert (drained(sink).state, sink.calls) == (DeliveryState.DELIVERED, ["send", "send"])


class Batching(Scripted):
    batch = 50
    batch_from = 10


def test_what_waits_goes_in_batches_of_one_grant_each_and_the_rest_alone(run, store, namespace, reader):
    ids = put(run, store, [b"{}"] * 105)
    sink = Batching(on_unknown="retry")
    sink.limits = (Limit(key="shared", count=300, per_ms=60_000),)
    run(drain(store, namespace, sink, sink))
    assert [len(batch) for batch in sink.batches] == [50, 50]
    assert len(sink.calls) == 5
    assert sorted([id for batch in sink.batches for id in batch] + [seen.id for seen in sink.seen]) == ids
    assert run(store.client.llen(f"{store.keys.prefix}grants:shared")) == 2 + 5
    assert {found.state for found in run(reader.deliveries(ids))} == {DeliveryState.DELIVERED}


def test_while_a_batch_is_out_nothing_else_is(run, store):
    put(run, store, [b"{}"] * 60)
    first = run(store.claim_deliveries("books", "w1", 8, 60_000, 8, (), (50, 10)))
    second = run(store.claim_deliveries("books", "w2", 8, 60_000, 8, (), (50, 10)))
    assert (len(first.items), first.batched, second.items) == (50, True, [])


def test_a_sink_that_was_blocked_is_tried_with_one_delivery(run, store):
    put(run, store, [b"{}"] * 60)
    run(store.client.hset(store.keys.gate(sink_queue("books")), "until", 1))
    claim = run(store.claim_deliveries("books", "w1", 8, 60_000, 8, (), (50, 10)))
    assert (len(claim.items), claim.batched) == (1, False)


def test_a_batch_that_fails_as_a_whole_is_tried_again(run, store, namespace, reader):
    ids = put(run, store, [b"{}"] * 20)
    sink = Batching(sends=[DEFECT], on_unknown="retry", retry=["0ms"])  # all of them are due again at one moment
    run(drain(store, namespace, sink))
    assert [len(batch) for batch in sink.batches] == [20, 20]
    assert {found.state for found in run(reader.deliveries(ids))} == {DeliveryState.DELIVERED}


class Admitting(Scripted):
    """Has a policy of its own: the first try is refused by it."""

    def __init__(self, refusal, **settings) -> None:
        super().__init__(**settings)
        self._refusals = iter([refusal])

    async def admit(self, delivery, tools):
        refusal = next(self._refusals, None)
        if isinstance(refusal, Exception):
            raise refusal
        return refusal


@pytest.mark.parametrize(
    "refusal", [Result(outcome=Outcome.THROTTLED, reason="not at night", after_ms=1), ValueError("a defect")]
)
def test_what_a_sinks_own_policy_refuses_was_not_sent(waiting, drained, refusal):
    sink = Admitting(refusal, on_unknown="lookup")
    assert (drained(sink).state, sink.calls) == (DeliveryState.DELIVERED, ["send"])
    assert [(seen.sending, seen.sends) for seen in sink.seen] == [(False, 0)]


def test_a_policy_that_cannot_reach_the_store_leaves_the_delivery_to_its_lease(waiting, drained):
    sink = Admitting(StoreUnavailable("away"), on_unknown="lookup")
    assert (drained(sink).state, sink.calls) == (DeliveryState.PENDING, [])
