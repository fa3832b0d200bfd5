"""A slot that falls free takes the next delivery from a few that were claimed ahead."""

import asyncio
import math
import time
from types import SimpleNamespace

import pytest

from relay.model import DeliveryState
from relay.store.acts import Author
from relay.store.keys import sink_queue
from relay.store.store import Store
from tests.integration.invariants import broken_invariants
from tests.integration.scripted_sink import ScriptedSink, drain, make_drainer, open_tools, queue_deliveries
from workers import sink_slots
from workers.hand import Hand

QUEUE = sink_queue("books")
ANNA = Author(by="anna")


class Counting(ScriptedSink):
    """Knows how many calls are in flight at most, and holds them up while it is told to."""

    def __init__(self, **settings) -> None:
        super().__init__(**settings)
        self.now = self.most = 0
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, delivery, tools):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        await self.open.wait()
        self.now -= 1
        return await super().send(delivery, tools)


class Gated(Store):
    """A store whose calls that settle and claim wait after the first ones, until it is opened."""

    def __init__(self, store: Store, calls: int) -> None:
        super().__init__(store.client, store.namespace)
        self.left, self.open, self.claims = calls, asyncio.Event(), []

    async def settle_and_claim(self, *arguments, **more):
        if self.left == 0:
            await self.open.wait()
        self.left -= self.left > 0
        answers, claim = await super().settle_and_claim(*arguments, **more)
        self.claims.append(claim)
        return answers, claim


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  it is the state of a drainer
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_slots_do_not_wait_for_the_store(run, store, namespace, reader, concurrency):
    ids = queue_deliveries(run, store, [b"{}"] * 20)

    async def go() -> tuple[int, Counting]:
        sink, gated = Counting(concurrency=concurrency, on_unknown="retry"), Gated(store, calls=1)
        async with open_tools(store, namespace) as tools:
            drainer = make_drainer(sink, gated, tools)
            drainer.start()
            # The first claim fills the slots, the second those of what ended and as many ahead; the third waits.
            await until(lambda: len(sink.calls) > concurrency and not drainer._calls and not drainer._slots._ahead)
            begun = len(sink.calls)
            gated.open.set()
            await drainer.finish(time.monotonic() + 60)
        return begun - len(gated.claims[0].items) + gated.claims[0].ahead, sink

    in_slots, sink = run(go())
    assert in_slots >= concurrency  # all that was claimed has left: those ahead, too
    assert sink.most <= concurrency
    assert sorted(seen.id for seen in sink.seen) == ids
    assert {found.state for found in run(reader.deliveries(ids))} == {DeliveryState.DELIVERED}
    assert run(broken_invariants(store)) == []


@pytest.mark.parametrize(("seconds", "wanted"), [(0, 3), (3, 3), (5, 0)])
def test_none_is_claimed_where_calls_take_long(seconds, wanted):
    """With eight slots and calls of four seconds one falls free every half second."""
    held = sink_slots.SinkSlots(Hand())
    slot = held.take(SimpleNamespace(id="d1"), math.inf)
    slot.since -= seconds
    held.free(slot)
    assert held.wanted(ScriptedSink(concurrency=8, on_unknown="retry"), ended=3, free=0) == wanted


class Looking(Store):
    """A store that is looked at after each call that settles and claims: what is ahead is leased, and no more."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.client, store.namespace)
        self.started: list[int] = []
        self.unleased: set[bytes] = set()

    async def settle_and_claim(self, *arguments, **more):
        answer = await super().settle_and_claim(*arguments, **more)
        async with self.client.pipeline(transaction=True) as pipe:
            pipe.zrange(self.keys.leased(QUEUE), 0, -1)
            pipe.zrange(self.keys.ahead(QUEUE), 0, -1)
            leased, ahead = map(set, await pipe.execute())
        self.started.append(len(leased - ahead))
        self.unleased |= ahead - leased
        return answer


def test_concurrency_is_exact_over_workers(run, store, namespace, reader):
    ids = queue_deliveries(run, store, [b"{}"] * 200)
    sink, looking = Counting(concurrency=3, on_unknown="retry"), Looking(store)
    run(drain(looking, namespace, sink, sink, sink))
    assert sink.most <= 3
    assert max(looking.started) <= 3
    assert looking.unleased == set()
    assert sorted(seen.id for seen in sink.seen) == ids
    assert run(store.client.exists(store.keys.ahead(QUEUE))) == 0
    assert {found.attempts for found in run(reader.deliveries(ids))} == {1}


@pytest.mark.parametrize("why", ["time", "stop", "pause"])
def test_what_has_not_begun_is_given_back(run, store, namespace, reader, monkeypatch, why):
    queue_deliveries(run, store, [b"{}"] * 12)
    if why == "time":
        monkeypatch.setattr(sink_slots, "AHEAD_SECONDS", 0.01)

    async def ahead() -> int:
        return int(await store.client.zcard(store.keys.ahead(QUEUE)))

    async def go() -> Counting:
        sink, stopping = Counting(concurrency=2, on_unknown="retry"), asyncio.Event()
        held = Gated(store, calls=1000)
        async with open_tools(store, namespace) as tools:
            drainer = make_drainer(sink, held, tools, stopping=stopping.is_set)
            drainer.start()
            await until(lambda: drainer._slots._ahead or any(claim.ahead for claim in held.claims))
            sink.open.clear()
            await until(lambda: sink.now == 2)
            if why == "stop":
                stopping.set()
                ending = asyncio.create_task(drainer.finish(time.monotonic() + 60))
            elif why == "pause":
                await store.acts.pause("books", ANNA, None)
                drainer.start()
            async with asyncio.timeout(30):
                while await ahead() > 0 or drainer._slots.holds_ahead:  # noqa: ASYNC110  and the store's
                    await asyncio.sleep(0.001)
            begun = len(sink.calls) + sink.now
            sink.open.set()
            if why == "stop":
                await ending
            elif why == "pause":
                await until(lambda: not drainer._calls and not drainer._unsettled)
            await drainer.finish(time.monotonic() + 60)
            assert why == "time" or len(sink.calls) == begun  # nothing has begun since
        return sink

    sink = run(go())
    sent = {seen.id for seen in sink.seen}
    found = run(reader.deliveries([f"d{n:05}" for n in range(12)]))
    assert len(sent) == len(sink.seen)
    assert {one.attempts for one in found if one.id not in sent} <= {0}
    assert {one.deaths for one in found} == {0}
    assert run(broken_invariants(store)) == []
