"""What a router claims with what it writes reaches the drainer, or is given back: nothing of it is lost or dies."""

import asyncio
import time

import pytest

from relay.amocrm.form import encode_form
from relay.config.environment import ProcessSettings
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.model import DeliveryState
from tests.integration.scripted_sink import ScriptedSink, WatchedStore, make_drainer, open_tools
from tests.integration.store.shapes import hook
from workers.hand import Hand
from workers.router import Router
from workers.watchdog import Watchdog

CONFIG = """
sources:
  acme: {type: amocrm, token: long-enough}
sinks:
  books: {type: log}
routes:
  - {name: leads, on: add_lead, to: books, text: "{{ lead.id }}"}
"""


class NotingSink(ScriptedSink):
    """Says when it was sent something."""

    def __init__(self, **settings) -> None:
        super().__init__(**settings)
        self.sent = asyncio.Event()

    async def send(self, delivery, tools):
        self.sent.set()
        return await super().send(delivery, tools)


class Worker:
    """A router and a drainer over a store, in a loop; the sink answers by a script."""

    def __init__(self, store, tools, folder, sink) -> None:
        path = folder / "relay.yaml"
        path.write_text(CONFIG)
        live = LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(path)}))
        self.stopping, self.hand = False, Hand()
        self.drainer = make_drainer(sink, store, tools, "w", lambda: self.stopping, self.hand)
        self.started = []
        self.router = Router(
            live, store, self._start, "w", lambda: self.stopping, Watchdog("w", 20), self.hand, lambda _: self.drainer
        )

    def _start(self, queues) -> None:
        self.started += queues
        if queues:
            self.drainer.start()

    async def finish(self) -> None:
        """Let the router and the drainer end: at once where the worker stops, else one after the other."""
        end = time.monotonic() + 60
        if self.stopping:
            await asyncio.gather(self.router.finish(end), self.drainer.finish(end))
        else:
            await self.router.finish(end)
            await self.drainer.finish(end)


@pytest.fixture
def worker(run, store, namespace, tmp_path):
    """Route a hook by a worker over a store. `meanwhile` is called with it once it runs."""

    def go(sink, over=store, meanwhile=None, n=1) -> Worker:
        async def work() -> Worker:
            hooks = [hook(f"r{id}", encode_form({"leads": {"add": [{"id": str(id)}]}})) for id in range(n)]
            await store.accept(hooks)
            async with open_tools(over, namespace) as tools:
                worker = Worker(over, tools, tmp_path, sink)
                worker.router.start()
                if meanwhile is not None:
                    await meanwhile(worker)
                await worker.finish()
                return worker

        return run(work())

    return go


@pytest.fixture
def deliveries(run, reader):
    """Read all deliveries of the hooks."""

    def read(n=1):
        receipts = run(reader.receipts([f"r{id}" for id in range(n)]))
        return run(reader.deliveries([id for receipt in receipts for id in receipt.deliveries]))

    return read


def test_the_drainer_begins_with_it_and_makes_no_claim_of_its_own(store, worker, deliveries, monkeypatch):
    monkeypatch.setattr(store, "claim_deliveries", None)  # calling it would fail
    sink = NotingSink(concurrency=8)
    done = worker(sink, n=3)
    assert (sink.calls, done.started) == (["send"] * 3, [])
    assert [(one.state, one.deaths) for one in deliveries(3)] == [(DeliveryState.DELIVERED, 0)] * 3


def test_what_has_no_slot_follows_when_one_is_free(worker, deliveries):
    sink = ScriptedSink(concurrency=2)
    done = worker(sink, n=5)
    assert (len(sink.calls), done.started) == (5, ["sink:books"])
    assert {one.state for one in deliveries(5)} == {DeliveryState.DELIVERED}


def test_a_claim_whose_answer_was_lost_is_given_back_at_once_and_nobody_died(store, worker, deliveries):
    answers = iter([True])

    async def lose() -> None:
        if next(answers, False):
            raise StoreUnavailable("the connection was closed")

    sink = NotingSink(concurrency=8)

    worker(sink, WatchedStore(store, save_routed_and_claim=lose), lambda _: sink.sent.wait())
    assert sink.calls == ["send"]
    assert [(one.state, one.deaths, one.attempts) for one in deliveries()] == [(DeliveryState.DELIVERED, 0, 1)]


def test_one_that_is_answered_too_late_is_given_back(run, store, worker, deliveries, monkeypatch):
    late = iter([True])
    monkeypatch.setattr("workers.prepared_claim.PreparedClaim.overdue", property(lambda _: next(late, False)))
    sink = NotingSink(concurrency=8)

    worker(sink, meanwhile=lambda _: sink.sent.wait())
    assert [(one.state, one.deaths, one.attempts) for one in deliveries()] == [(DeliveryState.DELIVERED, 0, 1)]


def test_a_worker_that_stops_meanwhile_sends_and_settles_what_the_answer_brings(store, worker, deliveries):
    answered, stopped = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        answered.set()
        await stopped.wait()

    async def stop(worker) -> None:
        await answered.wait()
        worker.stopping = True
        asyncio.get_running_loop().call_later(0, stopped.set)  # once the agents have begun to finish

    sink = NotingSink(concurrency=8)
    worker(sink, WatchedStore(store, save_routed_and_claim=hold), stop)
    assert sink.calls == ["send"]
    assert [one.state for one in deliveries()] == [DeliveryState.DELIVERED]


def test_nothing_is_claimed_while_a_worker_stops_or_has_a_suspect(run, store, namespace, tmp_path):
    async def prepare() -> list[bool]:
        async with open_tools(store, namespace) as tools:
            worker = Worker(store, tools, tmp_path, ScriptedSink(concurrency=8))
            prepared = [await worker.drainer.prepare_claim()]
            async with worker.hand.hold(suspect=True):
                prepared.append(await worker.drainer.prepare_claim())
            worker.stopping = True
            prepared.append(await worker.drainer.prepare_claim())
            worker.drainer.give_back(prepared[0])
            await worker.finish()
            return [one is not None for one in prepared]

    assert run(prepare()) == [True, False, False]
