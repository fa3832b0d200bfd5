"""The bench fills the store as the ingress does: it is run by hand, so a test holds it to the store's methods."""

import pytest

from tests.bench.stack import commands, fill


@pytest.mark.parametrize("count", [1, 250])
def test_the_bench_fills_the_inbox_with_hooks_that_wait_for_a_ticker(run, server, store, namespace, reader, count):
    run(fill(server.url, namespace, count))
    assert run(reader.inbox()) == (count, 0)
    assert run(store.look("w1")).queues == ["inbox"]  # no bell was left set
    assert run(commands(server.url))["evalsha"] > 0
