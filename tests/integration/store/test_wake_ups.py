"""Workers that listen are woken for what arrives: one for a hook, more as they wait; a bell only where none is left."""

import asyncio
import itertools

import pytest

from relay.errors import StoreUnavailable
from relay.model import Outcome
from relay.operations.acts import act_on_deliveries
from relay.store.acts import Act, Author
from relay.store.connect import connect
from relay.store.keys import INBOX, JOBS, sink_queue
from relay.store.store import Store
from relay.store.wake_ups import WakeUps
from tests.integration.store.shapes import hook

QUEUE = sink_queue("books")
ITEMS_A_WORKER = 50
ANNA = Author(by="anna")
_numbers = itertools.count()


class Listener:
    """A worker that listens."""

    def __init__(self, run, store: Store, name: str) -> None:
        self._run, self._store, self.name = run, store, name
        self._wake_ups: WakeUps = run(store.open_wake_ups(name))
        self.look()

    def look(self, *, listens: bool = True) -> bool:
        return self._run(self._store.look(self.name, listens=listens)).listens

    def take(self) -> list[str]:
        """Return what it was woken for since the last time: the store sends in order, so a mark ends it."""
        self._run(self._store.client.spublish(self._store.keys.wake_ups(self.name), "end"))
        queues: list[str] = []
        while (queue := self.next()) != "end":
            queues += [queue] if queue else []
        return queues

    def next(self) -> str:
        return self._run(self._wake_ups.next())

    def close(self) -> None:
        self._run(self._wake_ups.close())


@pytest.fixture
def listener(run, store):
    """Start listeners by name."""
    opened: list[Listener] = []

    def start(name: str) -> Listener:
        opened.append(Listener(run, store, name))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def bell_is_set(run, store):
    return lambda queue=INBOX: bool(run(store.client.exists(store.keys.bell(queue))))


def accept(run, store, n: int = 1) -> bool:
    """Accept hooks in one group. Returns whether a bell must be published."""
    ids = [f"h{next(_numbers):04}" for _ in range(n)]
    return run(store.accept([hook(id, id.encode()) for id in ids])).bell_set


def test_a_hook_wakes_one_of_those_that_listen_and_rings_no_bell(run, store, given, listener, bell_is_set):
    first, second = listener("w1"), listener("w2")
    assert not accept(run, store)
    assert (first.take(), second.take()) == ([INBOX], [])
    assert not bell_is_set()


def test_it_is_always_the_same_one_so_that_the_others_may_sleep(run, store, given, listener):
    second, first = listener("w2"), listener("w1")
    for _ in range(3):
        accept(run, store)
        run(store.claim_receipts("router", 100, 60_000))
        second.look()
    assert (first.take(), second.take()) == ([INBOX] * 3, [])


def test_what_comes_to_a_queue_with_work_wakes_nobody_again(run, store, given, listener):
    first = listener("w1")
    accept(run, store)
    accept(run, store)
    assert first.take() == [INBOX]


@pytest.mark.parametrize("groups", [[ITEMS_A_WORKER + 1], [ITEMS_A_WORKER - 1, 1, 1], [1] * (ITEMS_A_WORKER + 1)])
def test_a_second_one_is_woken_when_more_wait_than_one_is_to_have(run, store, given, listener, groups):
    first, second = listener("w1"), listener("w2")
    rung = [accept(run, store, n) for n in groups]
    assert not any(rung)
    assert (first.take(), second.take()) == ([INBOX], [INBOX])


def test_where_more_are_needed_than_listen_a_bell_is_for_one_that_sleeps(run, store, listener):
    first = listener("w1")
    rung = [accept(run, store, ITEMS_A_WORKER) for _ in range(4)]
    assert rung == [True, False, False, False]
    assert first.take() == [INBOX]


def test_a_second_one_is_not_called_again_and_again(run, store, listener, bell_is_set):
    """Where there is none, its bell would reach the one that listens with every group of hooks."""
    listener("w1")
    assert accept(run, store, ITEMS_A_WORKER)
    run(store.clear_bell(INBOX))  # as the one does that heard it
    while run(store.claim_receipts("router", 100, 60_000)).items:
        pass
    assert not accept(run, store, ITEMS_A_WORKER)
    assert bell_is_set(f"{INBOX}:more")
    assert not bell_is_set()


class TestGone:
    """Listeners that do not listen any more."""

    def test_one_without_a_connection_is_passed_over(self, run, store, given, listener):
        first, second = listener("w1"), listener("w2")
        first.close()
        accept(run, store)
        assert second.take() == [INBOX]

    def test_where_none_has_one_the_bell_rings(self, run, store, given, listener):
        listener("w1").close()
        assert accept(run, store)

    def test_one_whose_time_is_over_is_not_known_as_a_listener(self, run, store, given, listener):
        first = listener("w1")
        run(store.client.zincrby(store.keys.listeners, -3001, "w1"))
        assert accept(run, store)
        assert first.take() == []

    def test_one_that_goes_to_sleep_says_so(self, run, store, given, listener):
        first = listener("w1")
        assert first.look()
        assert not first.look(listens=False)
        assert accept(run, store)

    def test_one_that_ends_is_forgotten(self, run, store, given, listener):
        listener("w1")
        run(store.forget_worker("w1"))
        assert accept(run, store)

    def test_one_that_the_store_cannot_reach_is_told_so(self, run, store, listener):
        first = listener("w1")
        run(store.client.client_kill_filter(_type="pubsub"))
        assert not first.look()
        with pytest.raises(StoreUnavailable):
            first.take()

    def test_closing_ends_a_wait(self, run, store):
        async def close_while_waiting() -> None:
            wake_ups = await store.open_wake_ups("w1")
            waiting = asyncio.create_task(wake_ups.next())
            await asyncio.sleep(0)
            await wake_ups.close()
            with pytest.raises(StoreUnavailable):
                await asyncio.wait_for(waiting, 5)

        run(close_while_waiting())


class TestWhatWakes:
    """What makes something due wakes a listener, where nobody begins with it himself."""

    def test_a_delivery_that_is_sent_again(self, run, store, given, listener):
        delivery = given.leased()
        given.settled(delivery, Outcome.REJECTED, state="dead")
        first = listener("w1")
        run(act_on_deliveries(store, [delivery.id], Act.RESEND, ANNA))
        assert first.take() == [QUEUE]

    def test_a_queue_that_goes_on(self, run, store, given, listener):
        given.pending()
        run(store.acts.pause("books", ANNA, None))
        given.claim()
        first = listener("w1")
        run(store.acts.resume("books", ANNA))
        assert first.take() == [QUEUE]

    def test_a_job_that_is_due(self, run, store, listener):
        first = listener("w1")
        run(store.enqueue_job("later", "retention", delay_ms=60_000))
        assert first.take() == []
        run(store.enqueue_job("now", "retention"))
        assert first.take() == [JOBS]


class TestLooks:
    """What a look does for listeners."""

    def test_it_finds_what_a_lost_wake_up_was_about(self, run, store, given, listener):
        first = listener("w1")
        accept(run, store)
        first.take()
        assert run(store.look("w2")).queues == [INBOX]

    def test_a_wake_up_is_heard_with_each_look(self, run, store, listener):
        first = listener("w1")
        first.take()
        assert first.look()
        run(store.client.spublish(store.keys.wake_ups("w1"), "end"))  # ends the wait where nothing was sent
        assert first.next() == ""


def test_a_user_that_may_not_publish_gets_bells(run, store, server, given):
    """A wake-up that is refused stops no script in the middle."""
    run(store.client.acl_setuser("muted", enabled=True, passwords=["+secret"], categories=["+@all"], keys=["*"],
                                 reset_channels=True))  # fmt: skip
    muted = Store(connect(server.url.replace("unix://", "unix://muted:secret@"), answer_seconds=5), store.namespace)
    try:
        with pytest.raises(StoreUnavailable, match="permission"):
            run(muted.open_wake_ups("w1"))
        run(store.client.zadd(store.keys.listeners, {"w1": 1 << 50}))
        assert accept(run, muted)
        assert not run(muted.look("w1", listens=True)).listens
    finally:
        run(muted.client.aclose())
        run(store.client.acl_deluser("muted"))
