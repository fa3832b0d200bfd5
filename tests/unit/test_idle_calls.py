"""An idle process asks the store seldom: fewer than 60 calls a minute, of which its look takes this many."""

import asyncio
from types import SimpleNamespace

import pytest

from relay.store.formats import FORMAT
from relay.store.health import Durability, MemoryUse, StoreLife
from relay.store.wire.looks import LookReply
from relay.web import store_monitor
from relay.web.store_monitor import StoreMonitor
from tests.listening import not_listening
from workers.ticker import TICK_SECONDS, Ticker

CALLS_A_MINUTE = 60


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Live:
    """A configuration that stays as it is."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(sources={}, sources_with_api={}, shares={}, asked_facts={})
        self.version = ("v1", 0)

    async def poll(self) -> bool:
        return False

    def types_of_sinks(self) -> dict[str, str]:
        return {}

    def max_pending(self) -> dict[str, int]:
        return {}

    async def refresh_subscriptions(self, subscriptions, version) -> None:
        pass


class Admitted:
    refusal = ""

    async def admit(self) -> bool:
        return True

    def note_format(self, stored: int) -> None:
        pass


class CountingStore:
    """Counts its calls; `wait_ms` and `listens` are what a look answers."""

    def __init__(self, wait_ms: int, *, listens: bool = False) -> None:
        self.wait_ms = wait_ms
        self.listens = listens
        self.calls = 0
        self.queues: list[str] = []
        self.subscriptions = None
        self.registry = self

    async def look(self, *_, **__) -> LookReply:
        self.calls += 1
        return LookReply(
            queues=self.queues,
            unanswered=False,
            listens=self.listens,
            wait_ms=self.wait_ms,
            known=True,
            since=1,
            empty=False,
            subscriptions_version=0,
            silent=[],
            format=FORMAT,
        )

    async def write(self, *_, **__) -> None:
        self.calls += 1

    add_sources = add_sinks = add_facts = enqueue_job = write


def run_for_a_minute(tick, clock: Clock, seconds: float) -> None:
    async def run() -> None:
        while clock.now < 60:
            await tick()
            clock.now += seconds

    asyncio.run(run())


@pytest.mark.parametrize("wait_ms", [-1, 60_000])
def test_an_idle_worker_looks_seldom(wait_ms) -> None:
    store, clock = CountingStore(wait_ms), Clock()
    ticker = Ticker("w1", Live(), store, lambda queue: None, not_listening(), clock)
    asyncio.run(ticker.look())  # the first, which also registers
    store.calls = 0
    run_for_a_minute(ticker.tick, clock, TICK_SECONDS)
    assert store.calls <= 0.75 * CALLS_A_MINUTE  # the rest is for jobs


@pytest.mark.parametrize("busy", ["work is due", "work was begun"])
def test_a_worker_with_work_looks_at_every_tick(busy) -> None:
    store, clock = CountingStore(0 if busy == "work is due" else -1), Clock()
    ticker = Ticker("w1", Live(), store, lambda queue: None, not_listening(), clock)

    async def tick() -> None:
        if busy == "work was begun":
            ticker.note_work()
        await ticker.tick()

    run_for_a_minute(tick, clock, TICK_SECONDS)
    assert store.calls >= 60 / TICK_SECONDS


def test_a_worker_that_listens_looks_every_second() -> None:
    store, clock = CountingStore(-1, listens=True), Clock()
    ticker = Ticker("w1", Live(), store, lambda queue: None, not_listening(), clock)

    async def tick() -> None:
        ticker.note_work()
        await ticker.tick()

    asyncio.run(ticker.look())  # the first, which also registers
    store.calls = 0
    run_for_a_minute(tick, clock, TICK_SECONDS)
    assert 50 <= store.calls <= 65


@pytest.mark.parametrize(("grows_by", "often"), [(0, False), (1, False), (10_000, True)])
def test_the_web_process_looks_often_only_while_the_store_fills_up(monkeypatch, grows_by, often) -> None:
    clock, calls = Clock(), 0

    async def memory(_) -> MemoryUse:
        nonlocal calls
        calls += 1
        return MemoryUse(used=calls * grows_by, limit=1_000_000)

    async def durability(*_) -> Durability:
        nonlocal calls
        calls += 4
        return Durability(grade="fsync", replicas=0, policy="noeviction")

    async def life() -> StoreLife:
        return StoreLife(since=1)

    async def write(*_) -> None:
        pass

    monkeypatch.setattr(store_monitor, "read_memory_use", memory)
    monkeypatch.setattr(store_monitor, "read_durability", durability)
    monkeypatch.setattr(store_monitor, "check_writable", write)

    async def now() -> int:
        nonlocal calls
        calls += 1
        return 0

    reader = SimpleNamespace(now=now, client=None, keys=SimpleNamespace(probe="probe"), life=life)
    monitor = StoreMonitor(reader, Live(), Admitted(), clock=clock)
    run_for_a_minute(monitor.tick, clock, store_monitor.CHECK_SECONDS)
    assert (calls >= CALLS_A_MINUTE) is often


def test_what_waits_for_its_sink_to_be_registered_begins_as_soon_as_it_is():
    """While there is one shard a sink has no home before: its drainer is made once the store knows it."""
    store, began, registered = CountingStore(0), list[tuple[str, bool]](), list[str]()
    store.queues = ["sink:books"]
    ticker = Ticker(
        "w1", Live(), store, lambda queue: began.append((queue, bool(registered))), not_listening(), Clock(),
        note_registered=lambda sinks: registered.append("now"),
    )  # fmt: skip
    asyncio.run(ticker.look())
    assert began == [("sink:books", False), ("sink:books", True)]
