"""Drainers of three shards send to one sink: together they keep what its home allows."""

import asyncio
import time

import pytest

from relay.model import DeliveryState, Limit, Outcome
from relay.store.connect import connect
from relay.store.keys import sink_queue
from relay.store.reader import Reader
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from tests.integration.conftest import delete_all
from tests.integration.invariants import broken_invariants
from tests.integration.scripted_sink import ScriptedSink, SingleSinkConfig, open_tools, queue_deliveries
from tests.integration.store.shapes import settlement
from workers import borrowing
from workers.borrowing import Borrowing, Home
from workers.drainer import Drainer

SHARDS = ("00", "01", "02")


@pytest.fixture
def stores(run, server, namespace):
    """Return the stores of three shards; the first is the home of the sink."""
    stores = [Store(connect(server.url, answer_seconds=10), f"{namespace}x{name}") for name in SHARDS]
    try:
        yield stores
        assert [found for store in stores for found in run(broken_invariants(store))] == []
    finally:
        for store in stores:
            run(delete_all(store))


class CountingSink(ScriptedSink):
    """Counts the calls that are out at once."""

    def __init__(self, **more) -> None:
        super().__init__(**more)
        self.out = self.most_out = 0

    async def send(self, delivery, tools):
        self.out += 1
        self.most_out = max(self.most_out, self.out)
        try:
            for _ in range(5):
                await asyncio.sleep(0)
            return await super().send(delivery, tools)
        finally:
            self.out -= 1


async def drain_all(stores, sink) -> None:
    """Drain the sink in every shard until nothing may be claimed in any."""
    home = stores[0]
    async with open_tools(home, home.namespace) as tools:
        drainers = []
        for name, store in zip(SHARDS, stores, strict=True):
            lender = None if store is home else Borrowing(sink.name, store, Home("00", home, name), "w1")
            live = SingleSinkConfig(sink)
            drainers.append(Drainer(sink.name, live, store, tools, f"w{name}", lambda: False, borrowing=lender))
        for drainer in drainers:
            drainer.start()
        await asyncio.gather(*[drainer.finish(time.monotonic() + 60) for drainer in drainers])
        while await home.client.zcard(home.keys.due(sink_queue(sink.name))):  # as its looks find
            drainers[0].start()
            await drainers[0].finish(time.monotonic() + 60)


def test_concurrency_and_rate_hold_over_all_of_them(run, stores):
    ids = [queue_deliveries(run, store, [b"{}"] * 20, first=100 * n) for n, store in enumerate(stores)]
    sink = CountingSink(concurrency=2)
    sink.limits = (Limit(key="k", count=1000, per_ms=600_000),)
    run(drain_all(stores, sink))
    assert len(sink.calls) == 60
    assert sink.most_out == 2
    assert run(stores[0].client.llen(stores[0].keys.grants("k"))) == 60
    for store, of_shard in zip(stores, ids, strict=True):
        found = run(Reader(store.client, store.namespace).deliveries(of_shard))
        assert {one.state for one in found} == {DeliveryState.DELIVERED}
    assert run(stores[0].client.exists(stores[0].keys.leased(sink_queue("books")))) == 0
    assert run(stores[1].client.exists(stores[1].keys.grants("k"))) == 0


def test_attempts_that_fail_are_repeated_and_what_is_blocked_waits_for_the_trial(run, stores):
    for n, store in enumerate(stores):
        queue_deliveries(run, store, [b"{}"] * 4, first=100 * n)
    sink = CountingSink(sends=[Outcome.RETRY, Outcome.BLOCKED, Outcome.RETRY], concurrency=3, attempts=9)
    run(drain_all(stores, sink))
    assert len(sink.calls) >= 15
    history = run(Reader(stores[0].client, stores[0].namespace).gate_history(sink_queue("books")))
    assert (history[0].change, history[-1].change) == ("closed", "opened")


def test_a_home_that_hangs_delays_no_settlement(run, stores, monkeypatch):
    """What is out when it begins to hang is settled in its own shard, long before its lease ends."""
    queue_deliveries(run, stores[1], [b"{}"] * 3)
    calls = Borrowing("books", stores[1], Home("00", stores[0], "01"), "w1")
    request = {"max": 1, "lease_ms": 60_000, "concurrency": 3, "limits": ()}

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    async def go() -> None:
        (delivery,) = (await calls.claim_deliveries(sink_claim_request("books", "w1:1", **request))).items
        monkeypatch.setattr(stores[0].lending, "lend", hang)
        monkeypatch.setattr(borrowing, "HOME_SECONDS", 0.01)
        items = [settlement(delivery, Outcome.DELIVERED)]
        answers, claim = await calls.settle_and_claim(
            "books", items, {}, sink_claim_request("books", "w1:2", **request)
        )
        assert (answers, claim.items) == (["settled"], [])

    run(go())
