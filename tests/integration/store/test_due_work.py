"""What autoscalers are told: work that another worker could do now, and nothing else."""

import pytest

from relay.model import Outcome
from relay.operations.due_work import read_due_work
from relay.store.reader import Reader


@pytest.fixture
def due(run, store):
    """Read what is due for a relay with one sink and one source."""
    reader = Reader(store.client, store.namespace)

    def read(*sinks: str):
        return run(read_due_work(reader, sinks or ["books"], ["acme"]))

    return read


def test_an_idle_relay_has_nothing_due(due):
    assert (due().count, due().oldest_ms) == (0, 0)


def test_receipts_to_route_and_deliveries_to_send_are_due(given, due):
    given.pending(2)
    given.accepted(3)
    work = due()
    assert work.count == 5
    assert 0 <= work.oldest_ms < 60_000


def test_what_is_in_flight_or_waits_for_its_next_attempt_is_not_due(given, due):
    first, *_ = given.claimed(2)
    assert due().count == 0
    given.settled(first, Outcome.RETRY, delay_ms=3_600_000)
    assert due().count == 0


def test_what_waits_behind_a_closed_gate_or_for_an_unknown_sink_is_not_due(given, due):
    given.pending(3)
    assert due("another").count == 0
    (first,) = given.claim(max=1).items
    assert due().count == 2
    given.settled(first, Outcome.BLOCKED, delay_ms=60_000, gate_ms=60_000)
    assert due().count == 0


def test_what_waits_for_a_subscriber_is_due(run, store, given, due):
    run(store.registry.add_sinks({"sub-7": "subscriber"}))
    given.pending(2, sink="sub-7")
    assert due().count == 2
