"""What an attempt came to is never thrown away, whatever the store answers or fails to answer."""

import asyncio
import itertools
import time
from types import SimpleNamespace

import pytest

from relay.errors import StoreRefused, StoreUnavailable
from relay.model import DeliveryState, Outcome
from relay.store.connect import connect
from relay.store.keys import sink_queue
from relay.store.reader import Reader
from relay.store.store import Store
from tests.integration.invariants import broken_invariants
from tests.integration.scripted_sink import (
    ScriptedSink,
    SingleSinkConfig,
    WatchedStore,
    drain,
    make_drainer,
    open_tools,
    queue_deliveries,
)

LOST = StoreUnavailable("the connection was closed")


def losing(*answers: Exception | None):
    """Return what loses the answers of a method, one after another; None lets one through, as do all that follow."""
    lost = iter(answers)

    async def lose() -> None:
        if error := next(lost, None):
            raise error

    return lose


async def hang() -> None:
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("error", [LOST, StoreRefused("NOPERM")])
def test_what_was_sent_is_settled_though_the_store_did_not_say_so(run, store, namespace, reader, error):
    ids = queue_deliveries(run, store, [b"{}"] * 20)
    sink = ScriptedSink(concurrency=20)
    watched = WatchedStore(store, settle_and_claim=losing(error, error), settle=losing(error, error, error))
    run(drain(watched, namespace, sink))
    assert {found.state for found in run(reader.deliveries(ids))} == {DeliveryState.DELIVERED}
    assert len(sink.calls) == len(ids)


@pytest.mark.parametrize("concurrency", [1, 20])
def test_a_claim_that_is_answered_too_late_is_given_back_and_occupies_nothing(
    run, store, namespace, reader, monkeypatch, concurrency
):
    """An attempt that was overdue before it began stayed in flight for ever: the sink stood still."""
    config = SimpleNamespace(worker=SimpleNamespace(lease_margin=200), followers={})
    monkeypatch.setattr(SingleSinkConfig, "config", config)
    ids = queue_deliveries(run, store, [b"{}"] * 20)
    sink = ScriptedSink(concurrency=concurrency, timeout="100ms")
    waits = iter([(sink.lease_ms + 300) / 1000] * 2)

    async def be_late() -> None:
        await asyncio.sleep(next(waits, 0))

    watched = WatchedStore(store, claim_deliveries=be_late, settle_and_claim=be_late)
    run(drain(watched, namespace, sink))
    found = run(reader.deliveries(ids))
    assert {one.state for one in found} == {DeliveryState.DELIVERED}
    assert {one.deaths for one in found} == {0}
    assert len(sink.calls) == len(ids)


def test_no_permission_for_a_while_costs_no_result(start_server, run):
    """A store whose password is being changed, say: it answers, but neither yes nor that it is away."""
    server = start_server()
    store = Store(connect(server.url, answer_seconds=10), "relay")
    ids = queue_deliveries(run, store, [b"{}"] * 8)

    class Forbidding(ScriptedSink):
        async def send(self, delivery, tools):
            await store.client.execute_command("ACL", "SETUSER", "default", "-eval", "-evalsha")
            return await super().send(delivery, tools)

    sink = Forbidding(concurrency=8)

    async def go() -> None:
        async with open_tools(store, "relay") as tools:
            drainer = make_drainer(sink, store, tools)
            drainer.start()
            while drainer._unsettled.unwritten < len(ids):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await store.client.execute_command("ACL", "SETUSER", "default", "+eval", "+evalsha")
            await drainer.finish(time.monotonic() + 60)

    run(asyncio.wait_for(go(), 60))
    assert {found.state for found in run(Reader(store.client).deliveries(ids))} == {DeliveryState.DELIVERED}
    assert len(sink.calls) == len(ids)
    assert run(broken_invariants(store)) == []
    run(store.client.aclose())


def test_one_that_the_store_refuses_holds_up_no_other(run, store, namespace, reader, monkeypatch):
    monkeypatch.setattr("workers.drainer.SETTLE_SECONDS", 0.1)
    bad, *others = queue_deliveries(run, store, [b"{}"] * 20)
    run(store.client.set(store.keys.story(bad), "no list"))
    sink = ScriptedSink(concurrency=4)

    async def go() -> None:
        async with open_tools(store, namespace) as tools:
            drainer = make_drainer(sink, store, tools)
            drainer.start()
            while {one.state for one in await reader.deliveries(others)} != {DeliveryState.DELIVERED}:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await drainer.finish(time.monotonic())

    run(asyncio.wait_for(go(), 60))
    assert len(sink.calls) == 20  # the refused one was sent too, once
    assert run(reader.deliveries([bad]))[0].state is DeliveryState.PENDING  # not settled: the store did not take it
    run(store.client.delete(store.keys.story(bad)))


class TestMark:
    """The store may have a mark though nobody said so: nothing left, so nothing is held."""

    def test_the_answer_is_lost(self, run, store, namespace, reader):
        (id,) = queue_deliveries(run, store, [b"{}"])
        sink = ScriptedSink(on_unknown="hold")
        run(drain(WatchedStore(store, mark_sending=losing(LOST)), namespace, sink))
        assert (run(reader.deliveries([id]))[0].state, sink.calls) == (DeliveryState.DELIVERED, ["send"])
        first, last = run(reader.story(id))
        assert (first.outcome, first.reason) == (Outcome.THROTTLED, f"nothing was sent: {LOST}")
        assert last.outcome is Outcome.DELIVERED

    def test_the_answer_does_not_come_while_there_is_time(self, run, store, namespace, reader, monkeypatch):
        monkeypatch.setattr("tests.integration.scripted_sink.SingleSinkConfig.config.worker.lease_margin", 1000)
        (id,) = queue_deliveries(run, store, [b"{}"])
        calls = itertools.count()

        async def hang_once() -> None:
            if next(calls) == 0:
                await hang()

        sink = ScriptedSink(on_unknown="hold", timeout="1ms")
        run(drain(WatchedStore(store, mark_sending=hang_once), namespace, sink))
        assert (run(reader.deliveries([id]))[0].state, sink.calls) == (DeliveryState.DELIVERED, ["send"])

    def test_it_is_heard_of_only_after_another_worker_held_it(self, run, store, namespace, reader):
        """The store was away for longer than the lease: what was held for a person is sent after all."""
        (id,) = queue_deliveries(run, store, [b"{}"])
        sink = ScriptedSink(on_unknown="hold")
        calls = itertools.count()

        async def lose_the_lease() -> None:
            if next(calls) == 0:
                await store.client.zadd(store.keys.leased(sink_queue("books")), {id: 1})
                await drain(store, namespace, ScriptedSink(on_unknown="hold"))
                assert (await reader.deliveries([id]))[0].state is DeliveryState.HELD
                raise LOST

        run(drain(WatchedStore(store, mark_sending=lose_the_lease), namespace, sink))
        assert (run(reader.deliveries([id]))[0].state, sink.calls) == (DeliveryState.DELIVERED, ["send"])
