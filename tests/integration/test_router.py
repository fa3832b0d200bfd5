"""What a router does with receipts: it claims, plans in a thread, writes, and starts the queues that it wrote to."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from relay.amocrm.events import decode_receipt
from relay.amocrm.form import encode_form
from relay.config.environment import ProcessSettings
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.model import DeliveryState, ReceiptState
from relay.planning import plan_receipts
from relay.store.fields import ReceiptField
from relay.store.keys import INBOX
from relay.store.records import SUSPECT_AFTER, Handed
from tests.integration.store.shapes import hook
from workers.hand import Hand
from workers.router import UNKNOWN_SOURCE_MS, Router
from workers.watchdog import Watchdog

SOURCE = "{type: amocrm, token: long-enough-too}"
CONFIG = """
sources:
  acme: {type: amocrm, token: long-enough}
sinks:
  console: {type: log}
routes:
  - {name: leads, on: add_lead, to: console, text: "{{ lead.id }}"}
worker: {batch: %d}
"""


def leads(*ids: int) -> bytes:
    return encode_form({"leads": {"add": [{"id": str(id), "name": "Сделка №1"} for id in ids]}})


class Worker:
    """A router over a store, the queues that it started, and the receipts that it planned."""

    def __init__(self, run, store, reader, folder, monkeypatch) -> None:
        self.run, self.store, self.reader = run, store, reader
        self._config = folder / "relay.yaml"
        self.set_batch(batch=1)
        self.started: list[list[str]] = []
        self.planned: list[tuple[str, str]] = []  # each receipt, and the thread that planned it
        self.while_planning = lambda receipt: None
        self.stopping = False
        self.hand = Hand()
        monkeypatch.setattr("relay.events.decode_receipt", self._read)

    def set_batch(self, batch: int) -> None:
        """Set how many it claims at a time."""
        self._config.write_text(CONFIG % batch)
        self._load()

    def edit(self, source: str) -> None:
        """Name one more source in the file."""
        self._config.write_text(self._config.read_text().replace("sources:", f"sources:\n  {source}: {SOURCE}"))

    def add_route(self) -> None:
        """Add another route for the same events to the file."""
        second = '  - {name: again, on: add_lead, to: console, text: "again {{ lead.id }}"}\n'
        self._config.write_text(self._config.read_text().replace("worker:", f"{second}worker:"))

    def know(self, source: str) -> None:
        """Begin with a file that has one more source."""
        self.edit(source)
        self._load()

    def _load(self) -> None:
        self.live = LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(self._config)}))

    def _read(self, receipt, *more):
        self.planned.append((receipt.id, threading.current_thread().name))
        self.while_planning(receipt)
        return decode_receipt(receipt, *more)

    def accept(self, *ids: int, body: bytes | None = None) -> list[str]:
        """Store a hook for each of these leads."""
        hooks = [hook(f"r{id}", body or leads(id)) for id in ids]
        self.run(self.store.accept(hooks))
        return [hook.id for hook in hooks]

    def hand_over(self, *ids: int) -> None:
        """Store hooks as above, and let the router have them without a claim."""

        async def go() -> None:
            wake_ups = await self.store.open_wake_ups("w1")
            await self.store.look("w1", listens=True)
            assert await wake_ups.next() == ""
            await self.store.accept([hook(f"r{id}", leads(id)) for id in ids])
            handed = await wake_ups.next()
            assert isinstance(handed, Handed)
            await wake_ups.close()
            self.router = Router(
                self.live, self.store, self.started.append, "w1", lambda: self.stopping, Watchdog("w1", 20), self.hand
            )
            self.router.take(handed)
            await asyncio.gather(*self.router._handed._tasks)

        self.run(go())

    def route(self, until: Callable[[], object] = lambda: None, within: float = 60) -> None:
        """Route the inbox by a process that waits for a condition, then finishes within so many seconds."""

        async def go() -> None:
            self.loop = asyncio.get_running_loop()
            watchdog = Watchdog("w1", 20)
            self.router = Router(
                self.live, self.store, self.started.append, "w1", lambda: self.stopping, watchdog, self.hand
            )
            self.router.start()
            await asyncio.to_thread(until)
            await self.router.finish(time.monotonic() + within)

        self.run(go())

    def inbox(self) -> tuple[int, int]:
        """Return how many wait and how many are in work, asked from the planner's thread."""
        return asyncio.run_coroutine_threadsafe(self.reader.inbox(), self.loop).result(10)

    def receipt(self, id: str):
        (found,) = self.run(self.reader.receipts([id]))
        return found

    def deliveries(self, id: str):
        return self.run(self.reader.deliveries(list(self.receipt(id).deliveries)))


@pytest.fixture
def worker(run, store, reader, tmp_path, monkeypatch) -> Worker:
    return Worker(run, store, reader, tmp_path, monkeypatch)


def test_all_that_arrived_is_routed_batch_after_batch_by_one_thread(worker):
    ids = worker.accept(*range(7))
    worker.route()
    assert sorted(id for id, _ in worker.planned) == ids
    assert {thread for _, thread in worker.planned} == {"planner_0"}
    assert worker.run(worker.reader.inbox()) == (0, 0)
    assert {one.state for id in ids for one in worker.deliveries(id)} == {DeliveryState.PENDING}
    assert [worker.receipt(id).state for id in ids] == [ReceiptState.ROUTED] * 7


def test_it_begins_with_the_queues_that_it_wrote_to_and_sets_no_bell(worker):
    worker.accept(1, 2)
    worker.accept(3, body=b"contacts[add][0][id]=3")  # no route takes it
    worker.route()
    assert sorted(worker.started) == [[], ["sink:console"], ["sink:console"]]
    assert worker.run(worker.store.client.exists(worker.store.keys.bell("sink:console"))) == 0


class TestHandedOver:
    """What a router is handed over it routes without a claim; all else is as ever."""

    def test_it_is_routed_and_its_queues_begin(self, worker):
        worker.hand_over(1, 2)
        assert [worker.receipt(id).state for id in ("r1", "r2")] == [ReceiptState.ROUTED] * 2
        assert worker.run(worker.reader.inbox()) == (0, 0)
        assert worker.started == [["sink:console"]]

    def test_what_this_process_may_not_route_is_given_back(self, worker):
        worker.edit("later")  # the file has changed since it was read
        worker.hand_over(1)
        assert worker.planned == []
        assert worker.run(worker.reader.inbox()) == (1, 0)

    def test_a_worker_that_stops_begins_nothing(self, worker):
        worker.stopping = True
        worker.hand_over(1)
        assert worker.planned == []
        assert worker.run(worker.reader.inbox()) == (0, 1), "its lease is short"

    def test_nothing_begins_beside_a_suspect(self, run, worker):
        async def hold() -> None:
            async with worker.hand.hold(suspect=True):
                suspect.set()
                await asyncio.Event().wait()

        async def begin() -> asyncio.Task:
            task = asyncio.create_task(hold())
            await suspect.wait()
            return task

        suspect = asyncio.Event()
        task = run(begin())
        worker.hand_over(1)
        assert worker.planned == []
        task.cancel()

    def test_what_cannot_be_written_is_soon_anybody_s(self, worker, monkeypatch):
        async def refuse(*_: object) -> None:
            raise StoreUnavailable("it is away")

        monkeypatch.setattr(worker.store, "save_routed", refuse)
        monkeypatch.setattr("workers.router.retry_store_write", refuse)
        with capture_logs() as logs:
            worker.hand_over(1)
        assert [(one["event"], one["reason"]) for one in logs] == [("router.paused", "it is away")]
        assert worker.run(worker.reader.inbox()) == (0, 1)


def test_a_body_is_kept_small_and_reads_as_it_came(worker):
    body = leads(*range(100, 160))
    (id,) = worker.accept(1, body=body)
    worker.route()
    assert worker.run(worker.store.client.strlen(worker.store.keys.body(id))) < len(body) / 2
    assert worker.run(worker.reader.raw_receipt(id)).body == body
    assert len(worker.deliveries(id)) == 60


def test_a_body_that_would_not_get_smaller_is_kept_as_it_came(worker):
    (id,) = worker.accept(1, body=b"leads[add][0][id]=1")
    worker.route()
    assert worker.run(worker.store.client.get(worker.store.keys.body(id))) == b"leads[add][0][id]=1"
    assert worker.run(worker.reader.raw_receipt(id)).body == b"leads[add][0][id]=1"


def test_one_that_cannot_be_planned_is_put_aside_and_the_others_go_on(worker):
    def fail(receipt):
        if receipt.id == "r2":
            raise ValueError("a defect of ours")

    worker.while_planning = fail
    worker.accept(1, 2, 3)
    worker.route()
    states = {id: worker.receipt(id).state for id in ("r1", "r2", "r3")}
    assert states == {"r1": "routed", "r2": "quarantined", "r3": "routed"}
    assert worker.receipt("r2").reason == "internal error: ValueError"
    assert worker.run(worker.reader.raw_receipt("r2")).body == leads(2)


def test_one_of_a_batch_that_cannot_be_planned_leaves_the_others_theirs(worker):
    def fail(receipt):
        if receipt.id == "r2":
            raise ValueError("a defect of ours")

    worker.set_batch(batch=3)
    worker.while_planning = fail
    worker.accept(1, 2, 3)
    worker.route()
    states = {id: worker.receipt(id).state for id in ("r1", "r2", "r3")}
    assert states == {"r1": "routed", "r2": "quarantined", "r3": "routed"}
    assert [one.state for one in worker.deliveries("r3")] == [DeliveryState.PENDING]


def test_what_is_large_is_decoded_a_piece_at_a_time(worker, monkeypatch):
    monkeypatch.setattr("workers.batch_planning.PLAN_BYTES", 100)
    sizes = []
    monkeypatch.setattr(
        "workers.batch_planning.plan_receipts",
        lambda some, *more: sizes.append(len(some)) or plan_receipts(some, *more),
    )
    worker.set_batch(batch=9)
    worker.accept(*range(10, 16), body=b"leads[add][0][id]=1&leads[add][0][name]=x")  # of 41 bytes
    worker.accept(16, body=leads(*range(9)))
    worker.accept(17)
    worker.route()
    assert sizes == [2, 2, 2, 1, 1]
    assert [len(worker.deliveries(id)) for id in ("r10", "r15", "r16", "r17")] == [1, 1, 9, 1]


def test_while_one_batch_is_planned_the_next_three_are_claimed(worker, until):
    seen = []
    worker.while_planning = lambda _: seen or seen.append(until(lambda: worker.inbox() == (1, 4)))
    worker.accept(1, 2, 3, 4, 5)
    worker.route()
    assert seen == [True]


def test_what_arrives_while_a_batch_is_planned_is_claimed_when_the_router_is_called(run, store, worker, until):
    """Nobody claims of an inbox of which the store has just said that nothing is due."""
    claims, seen = [], []
    claim = worker.store.claim_receipts

    async def count(*wanted):
        claims.append(wanted)
        return await claim(*wanted)

    worker.store.claim_receipts = count

    def arrive(receipt):
        if receipt.id == "r1":
            until(lambda: len(claims) == 1)
            asyncio.run_coroutine_threadsafe(store.accept([hook("r2", leads(2))]), worker.loop).result(10)
            worker.loop.call_soon_threadsafe(worker.router.start)
            seen.append(until(lambda: worker.inbox() == (0, 2)))

    worker.while_planning = arrive
    worker.accept(1)
    worker.route()
    assert (seen, len(claims)) == ([True], 2)
    assert worker.receipt("r2").state is ReceiptState.ROUTED


class TestOnLoop:
    """A few small receipts are planned on the loop, once planning was quick."""

    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch):
        monkeypatch.setattr("workers.planning_on_loop.QUICK_RECEIPTS", 1)
        monkeypatch.setattr("workers.planning_on_loop.SLOW_SECONDS", 60)

    def threads(self, worker) -> list[str]:
        return [thread.partition("_")[0] for _, thread in worker.planned]

    def test_the_first_is_planned_in_the_thread(self, worker):
        ids = worker.accept(*range(1, 9))
        worker.route()  # the next may be claimed, and planned there too, while the first is not ready
        assert set(self.threads(worker)) == {"planner", "MainThread"}
        assert {worker.receipt(id).state for id in ids} == {ReceiptState.ROUTED}

    def test_after_a_slow_one_all_are(self, worker, monkeypatch):
        monkeypatch.setattr("workers.planning_on_loop.SLOW_SECONDS", 0)
        worker.accept(1, 2, 3)
        worker.route()
        assert self.threads(worker) == ["planner"] * 3

    def test_a_large_one_and_many_at_once_are(self, worker):
        worker.accept(1)
        worker.accept(2, body=leads(*range(100, 600)))
        worker.route()
        assert self.threads(worker) == ["planner"] * 2
        worker.set_batch(batch=5)
        worker.accept(*range(3, 8))
        worker.route()
        assert self.threads(worker) == ["planner"] * 7


@pytest.mark.parametrize(
    "suspicious", [slice(1, None, 2), slice(2, 5), slice(None)], ids=["each second", "three", "all"]
)
def test_what_may_kill_the_worker_is_planned_while_nothing_else_is_in_its_hands(run, store, worker, suspicious):
    """Whatever it holds when it dies, of that a death is counted."""
    ids = worker.accept(*range(6))
    suspects = ids[suspicious]
    for id in suspects:
        run(store.client.hset(store.keys.receipt(id), "died", 1))
    in_work: dict[str, int] = {}

    def look(receipt):
        if receipt.id in suspects:
            in_work[receipt.id] = worker.inbox()[1]

    worker.while_planning = look
    worker.route()
    assert in_work == dict.fromkeys(suspects, 1)
    assert worker.run(worker.reader.inbox()) == (0, 0)


def test_a_suspect_that_was_planned_holds_up_no_other_shard_while_its_own_is_away(run, store, worker, monkeypatch):
    write, closed = store.save_routed, []

    async def write_later(token, parts):
        closed.append(worker.hand.closed)
        if len(closed) < 3:
            raise StoreUnavailable("away")
        return await write(token, parts)

    monkeypatch.setattr(store, "save_routed", write_later)
    (id,) = worker.accept(1)
    run(store.client.hset(store.keys.receipt(id), "died", SUSPECT_AFTER))
    worker.route()
    assert closed == [True, False, False]
    assert worker.receipt(id).state == ReceiptState.ROUTED


def test_what_is_in_hand_when_the_store_goes_away_is_written_or_its_defect_logged(worker, monkeypatch):
    claim, write = worker.store.claim_receipts, worker.store.save_routed
    claimed = []

    async def claim_two(*wanted):
        if len(claimed) == 2:
            raise StoreUnavailable("away")
        claimed.append(await claim(*wanted))
        return claimed[-1]

    async def write_one(token, parts):
        if parts[0].receipt.id == claimed[0].items[0].id:
            raise ValueError("a defect of ours")
        return await write(token, parts)

    monkeypatch.setattr(worker.store, "claim_receipts", claim_two)
    monkeypatch.setattr(worker.store, "save_routed", write_one)
    worker.accept(1, 2, 3)
    with capture_logs() as lines:
        worker.route()
    by_event = {line["event"]: line for line in lines}
    assert by_event["router.paused"]["reason"] == "away"
    assert by_event["router.failed"]["reason"] == "ValueError: a defect of ours"
    assert worker.receipt(claimed[1].items[0].id).state == ReceiptState.ROUTED
    assert worker.run(worker.reader.inbox()) == (1, 1)


def test_a_worker_that_stops_takes_nothing_more_and_writes_what_it_has(worker):
    def stop(_):
        worker.stopping = True

    worker.while_planning = stop
    worker.accept(*range(9))
    worker.route()
    waiting, in_work = worker.run(worker.reader.inbox())
    assert in_work == 0
    assert waiting == 9 - len(worker.planned)
    assert 1 <= len(worker.planned) <= 4  # three may have been claimed already when it was stopped


def test_a_plan_that_takes_too_long_is_left_to_its_lease(worker):
    planning, ended = threading.Event(), threading.Event()

    def hang(_):
        planning.set()
        ended.wait()

    worker.while_planning = hang
    worker.accept(1)
    try:
        worker.route(until=planning.wait, within=0)
    finally:
        ended.set()
    assert worker.run(worker.reader.inbox()) == (0, 1)
    assert (worker.started, worker.receipt("r1").state) == ([], ReceiptState.ACCEPTED)


class TestUnknownSource:
    """The web process may know a source before the workers do."""

    def accept(self, worker) -> str:
        worker.run(worker.store.accept([hook("r1", leads(1), source="new")]))
        return "r1"

    def test_its_receipts_wait_for_a_worker_that_knows_it(self, worker):
        id = self.accept(worker)
        worker.accept(2)
        worker.route()
        assert (worker.receipt(id).state, worker.receipt("r2").state) == (ReceiptState.ACCEPTED, ReceiptState.ROUTED)
        assert worker.run(worker.reader.inbox()) == (1, 0)

        worker.know("new")
        self.make_due(worker, id)
        worker.route()
        assert worker.receipt(id).state is ReceiptState.ROUTED
        assert not worker.run(worker.store.client.hexists(worker.store.keys.receipt(id), ReceiptField.DEATHS))

    def test_after_ten_minutes_nobody_does_and_that_is_said(self, worker):
        id = self.accept(worker)
        worker.run(worker.store.client.hincrby(worker.store.keys.receipt(id), "at", -UNKNOWN_SOURCE_MS))
        worker.route()
        assert worker.receipt(id).state is ReceiptState.UNROUTED
        assert worker.receipt(id).events[0].reason == "source 'new' is not in the configuration"

    def test_while_the_file_changes_nothing_is_claimed(self, worker):
        id = self.accept(worker)
        worker.edit("new")
        worker.run(worker.live.poll())  # it is seen changed, and loaded by the next
        worker.route()
        assert worker.run(worker.reader.inbox()) == (1, 0)
        worker.run(worker.live.poll())
        worker.route()
        assert worker.receipt(id).state is ReceiptState.ROUTED

    def make_due(self, worker, id: str) -> None:
        worker.run(worker.store.client.zadd(worker.store.keys.due(INBOX), {id: 1}))


class TestNewRoute:
    """The web process may have read a route before the workers have: it acknowledges what is for it."""

    def test_what_came_meanwhile_is_routed_by_the_new_file(self, worker):
        (id,) = worker.accept(1)
        worker.add_route()  # and no ticker has looked at the file since
        with capture_logs() as lines:
            worker.route()
        assert worker.receipt(id).state is ReceiptState.ACCEPTED
        assert [line["receipts"] for line in lines if line["event"] == "router.waits"] == [1]
        assert worker.run(worker.reader.inbox()) == (1, 0)

        worker.run(worker.live.poll())
        worker.run(worker.store.client.zadd(worker.store.keys.due(INBOX), {id: 1}))
        worker.route()
        assert {one.route for one in worker.deliveries(id)} == {"leads", "again"}

    def test_a_file_that_is_broken_for_good_holds_up_nothing(self, worker):
        (id,) = worker.accept(1)
        worker._config.write_text("sources: [")
        worker.route()
        worker.run(worker.live.poll())
        worker.run(worker.store.client.zadd(worker.store.keys.due(INBOX), {id: 1}))
        worker.route()
        assert {one.route for one in worker.deliveries(id)} == {"leads"}
