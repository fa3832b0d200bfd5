"""An event that a sink refuses as if its key were wrong does not keep the others: it is tried alone, and ends dead."""

import pytest

from relay.model import DeliveryState, Outcome, Result
from relay.store.keys import sink_queue
from tests.integration.scripted_sink import ScriptedSink, drain, queue_deliveries

REFUSAL = "403 Forbidden: access is denied"


class Picky(ScriptedSink):
    """Answers 403 to what it does not like, at every attempt."""

    def __init__(self, **settings) -> None:
        super().__init__(on_unknown="retry", blocked_for="1h", **settings)

    async def send(self, delivery, tools):
        self.calls.append(delivery.id)
        if delivery.content == b"bad":
            return Result(outcome=Outcome.BLOCKED, reason=REFUSAL, status=403)
        return Result(outcome=Outcome.DELIVERED, reason="200 OK")


@pytest.fixture
def make_due(run, store):
    """Let the time pass that deliveries, and a closed gate, wait for."""

    def pass_time():
        due, gate = store.keys.due(sink_queue("books")), store.keys.gate(sink_queue("books"))
        run(store.client.zadd(due, dict.fromkeys(run(store.client.zrange(due, 0, -1)), 1)))
        if run(store.client.hexists(gate, "until")):
            run(store.client.hset(gate, "until", 1))

    return pass_time


@pytest.mark.parametrize("bad", [{3}, {149}, {3, 4, 5, 20, 21, 40, 60, 61, 62, 63, 80, 90, 100, 110, 120}])
def test_of_150_all_others_arrive_at_once_and_what_is_refused_ends_dead(run, store, namespace, reader, make_due, bad):
    ids = queue_deliveries(run, store, [b"bad" if n in bad else b"good" for n in range(150)])
    sink = Picky(attempts=3, retry=["0ms"])
    run(drain(store, namespace, sink))
    found = run(reader.deliveries(ids))
    refused = [one for n, one in enumerate(found) if n in bad]
    assert {one.state for n, one in enumerate(found) if n not in bad} == {DeliveryState.DELIVERED}
    assert {(one.state, one.attempts) for one in refused} == {(DeliveryState.PENDING, 0)}
    assert len(sink.calls) == 150  # nothing was sent twice

    # Where the last of all is refused nobody is left to show that the sink works: its gate stays closed for its time.
    queue_deliveries(run, store, [b"good"], first=150)
    make_due()
    run(drain(store, namespace, sink))
    assert {(one.state, one.reason) for one in run(reader.deliveries([one.id for one in refused]))} == {
        (DeliveryState.DEAD, f"gave up after 3 attempts: only this event is refused, others arrive: {REFUSAL}")
    }
    trials = len(sink.calls) - (151 + 3 * len(bad))  # of the closed gate, that met a refused one and cost it no attempt
    assert 0 <= trials <= 1
    assert run(reader.counters())["closed", "books"] <= len(bad)


def test_a_sink_that_refuses_everything_is_left_alone_and_costs_no_attempt(run, store, namespace, reader, make_due):
    ids = queue_deliveries(run, store, [b"bad"] * 50)
    sink = Picky(attempts=3, retry=["0ms"], concurrency=8)
    run(drain(store, namespace, sink))
    assert len(sink.calls) <= 8 + 3  # what was in flight, and the trials
    for _ in range(5):
        make_due()
        run(drain(store, namespace, sink))
    assert len(sink.calls) <= 8 + 3 + 5
    assert {(one.state, one.attempts) for one in run(reader.deliveries(ids))} == {(DeliveryState.PENDING, 0)}


def test_what_is_refused_again_waits_by_the_schedule_and_says_why(run, store, namespace, reader, make_due):
    (refused,) = queue_deliveries(run, store, [b"bad"])
    sink = Picky(retry=["1h"], attempts=2, concurrency=1)
    run(drain(store, namespace, sink))
    queue_deliveries(run, store, [b"good"], first=1)
    make_due()
    run(drain(store, namespace, sink))
    (found,) = run(reader.deliveries([refused]))
    assert (found.state, found.attempts) == (DeliveryState.PENDING, 1)
    assert found.reason == f"only this event is refused, others arrive: {REFUSAL}"
    assert found.due_at > run(reader.now())
