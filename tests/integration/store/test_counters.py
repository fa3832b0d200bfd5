"""What calls count stands beside the counters until it is added up: who reads them sees both."""

import pytest

from relay.model import Outcome
from relay.store.counters import read_counters

MOST = 100  # calls


@pytest.mark.parametrize("calls", [1, MOST - 1, MOST, MOST + 1])
def test_whatever_is_added_up_already_is_counted_once(run, store, given, calls):
    for _ in range(calls):
        given.accepted()
    assert run(read_counters(store.client, store.keys))["receipt|acme|accepted"] == calls
    assert run(store.client.llen(store.keys.counted)) == calls % MOST


def test_what_was_never_counted_is_none(run, store):
    assert run(read_counters(store.client, store.keys))["receipt|acme|accepted"] == 0


def test_of_a_sink_that_is_forgotten_nothing_is_added_up_later(run, store, given):
    run(store.registry.add_sinks({"books": "http"}))
    given.pending()
    given.settled(given.claim().items[0], Outcome.DELIVERED)
    assert run(store.registry.forget_sinks(["books"])) == ["books"]
    given.accepted(1)
    assert not [field for field in run(read_counters(store.client, store.keys)) if "|books|" in field]
