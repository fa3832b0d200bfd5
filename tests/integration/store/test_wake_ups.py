"""Workers that listen are woken for what arrives: one for hooks, more as they wait; a bell only where none is left.

A few small hooks are handed over to that one.
"""

import asyncio
import itertools

import pytest
from msgspec.structs import replace

from relay.errors import StoreUnavailable
from relay.model import Outcome, Receipt
from relay.operations.acts import act_on_deliveries
from relay.store.acts import Act, Author
from relay.store.connect import connect
from relay.store.keys import INBOX, JOBS, sink_queue
from relay.store.records import HANDED, Handed
from relay.store.store import Store
from relay.store.wake_ups import WakeUps
from tests.integration.store.shapes import hook, new, routed

QUEUE = sink_queue("books")
ITEMS_A_WORKER = 50
MOST_HANDED = 4  # hooks to be handed over together
TOO_MANY = MOST_HANDED + 1
GROUPS_A_WORKER = -(-ITEMS_A_WORKER // MOST_HANDED)  # that are handed over: fewer calls than the half second takes
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
        """Return what it was woken for since the last time, HANDED for what it was handed over."""
        return [HANDED if isinstance(one, Handed) else one for one in self._take()]

    def take_handed(self) -> list[Receipt]:
        return [receipt for one in self._take() if isinstance(one, Handed) for receipt in one.receipts]

    def _take(self) -> list[str | Handed]:
        """The store sends in order, so a mark ends it."""
        self._run(self._store.client.spublish(self._store.keys.wake_ups(self.name), "end"))
        found: list[str | Handed] = []
        while (one := self.next()) != "end":
            found += [one] if one else []
        return found

    def next(self) -> str | Handed:
        return self._run(self._wake_ups.next())

    def close(self) -> None:
        """The store reads the end of a connection when it comes to it, and counts it until then."""
        self._run(self._wake_ups.close())
        self._run(self._gone())

    async def _gone(self) -> None:
        async with asyncio.timeout(10):
            while await self._subscribers():  # noqa: ASYNC110  it is the store's state
                await asyncio.sleep(0)

    async def _subscribers(self) -> int:
        channel = self._store.keys.wake_ups(self.name)
        ((_, count),) = await self._store.client.pubsub_shardnumsub(channel)
        return count


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


def test_hooks_wake_one_of_those_that_listen_and_ring_no_bell(run, store, given, listener, bell_is_set):
    first, second = listener("w1"), listener("w2")
    assert not accept(run, store, TOO_MANY)
    assert (first.take(), second.take()) == ([INBOX], [])
    assert not bell_is_set()


def test_it_is_always_the_same_one_so_that_the_others_may_sleep(run, store, given, listener):
    second, first = listener("w2"), listener("w1")
    for _ in range(3):
        accept(run, store, TOO_MANY)
        run(store.claim_receipts("router", 100, 60_000))
        second.look()
    assert (first.take(), second.take()) == ([INBOX] * 3, [])


def test_what_comes_to_a_queue_with_work_wakes_nobody_again(run, store, given, listener):
    first = listener("w1")
    accept(run, store, TOO_MANY)
    accept(run, store, TOO_MANY)
    assert first.take() == [INBOX]


@pytest.mark.parametrize("groups", [[ITEMS_A_WORKER + 1], [ITEMS_A_WORKER - 2 * TOO_MANY, TOO_MANY, TOO_MANY]])
def test_a_second_one_is_woken_when_more_wait_than_one_is_to_have(run, store, given, listener, groups):
    first, second = listener("w1"), listener("w2")
    rung = [accept(run, store, n) for n in groups]
    assert not any(rung)
    assert (first.take(), second.take()) == ([INBOX], [INBOX])


class TestHandedOver:
    """Few and small hooks go to a listener whole, so that it need not claim them."""

    @pytest.fixture
    def handed(self, run, store, given, listener) -> list[Receipt]:
        """What a listener was handed over."""
        first = listener("w1")
        accept(run, store, 2)
        return first.take_handed()

    def test_they_are_as_a_claim_would_return_them(self, run, store, given, listener):
        first, second = listener("w1"), listener("w2")
        one = hook("r1", "Сделка\r\n\0".encode(), content_encoding="gzip", request_id="q", trace="00-1-1-01")
        assert not run(store.accept([one, hook("r2", bytes(range(256)))])).bell_set
        handed = first.take_handed()
        assert second.take() == []
        assert run(store.claim_receipts("w2:1", 100, 60_000)).items == []
        assert run(store.look("w2")).queues == []
        run(store.client.zadd(store.keys.leased(INBOX), {"r1": 1, "r2": 1}))
        claimed = run(store.claim_receipts("w2:2", 100, 60_000)).items
        assert [replace(one, deaths=0) for one in claimed] == handed

    def test_what_became_of_them_is_written_as_of_any_other(self, run, store, handed):
        parts = [routed(one, new(f"d{one.id}", one.id)) for one in handed]
        assert run(store.save_routed(HANDED, parts)) == ([QUEUE], [])
        assert run(store.save_routed(HANDED, parts)) == ([], [one.id for one in handed])
        assert run(store.client.exists(store.keys.leased(INBOX), store.keys.due(INBOX))) == 0

    def test_what_was_not_routed_in_time_is_anybody_s_and_no_suspect(self, run, store, handed):
        """Its worker may have died of it: so nobody but a router decodes it meanwhile."""
        run(store.client.zadd(store.keys.leased(INBOX), {one.id: 1 for one in handed}))
        run(store.client.zadd(store.keys.wake, {INBOX: 1}))
        assert run(store.look("w2")).queues == [INBOX]
        claim = run(store.claim_receipts("w2:1", 100, 60_000))
        assert [one.deaths for one in claim.items] == [1, 1]
        late = run(store.save_routed(HANDED, [routed(one) for one in handed]))
        assert late == ([], [one.id for one in handed])

    def test_those_that_another_must_route_are_given_back(self, run, store, handed):
        one, other = handed
        assert run(store.leave_receipts(HANDED, [one.id], 60_000)) == []
        assert run(store.save_routed(HANDED, [routed(one), routed(other)])) == ([], [one.id])
        assert run(store.client.zcard(store.keys.due(INBOX))) == 1

    @pytest.mark.parametrize("age_ms", [5001, 5002, 5003])
    def test_one_that_is_given_back_late_keeps_nobody_from_looking_or_claiming(self, run, store, handed, age_ms):
        """Times are whole milliseconds, whatever share of its age it waits for."""
        for one in handed:
            run(store.client.hincrby(store.keys.receipt(one.id), "at", -age_ms))
        run(store.leave_receipts(HANDED, [one.id for one in handed], 60_000))
        assert run(store.look("w2")).wait_ms > 0
        run(store.accept([hook("large", bytes(9000))]))
        claim = run(store.claim_receipts("w2:1", 3, 1000))
        assert [one.id for one in claim.items] == ["large"]
        assert 0 < claim.wait_ms <= 1000
        run(store.save_routed("w2:1", [routed(one) for one in claim.items]))
        assert 0 < run(store.claim_receipts("w2:2", 3, 1000)).wait_ms <= age_ms

    def test_large_ones_are_claimed(self, run, store, given, listener):
        first = listener("w1")
        run(store.accept([hook("r1", bytes(8193))]))
        assert first.take() == [INBOX]

    def test_a_worker_that_has_much_to_do_claims_when_it_can(self, run, store, given, listener):
        first = listener("w1")
        rung = [accept(run, store, MOST_HANDED) for _ in range(GROUPS_A_WORKER + 1)]
        assert rung == [False] * GROUPS_A_WORKER + [True]  # for one that sleeps
        assert first.take() == [HANDED] * GROUPS_A_WORKER + [INBOX]

    def test_they_count_for_when_a_second_worker_is_needed(self, run, store, given, listener):
        first, second = listener("w1"), listener("w2")
        rung = [accept(run, store, MOST_HANDED) for _ in range(GROUPS_A_WORKER + 1)]
        assert not any(rung)
        assert (first.take(), second.take()) == ([HANDED] * GROUPS_A_WORKER + [INBOX], [INBOX])


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
        assert second.take() == [HANDED]

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

    def test_what_came_before_its_connection_was_lost_is_heard(self, run, store):
        async def lose_after_two() -> None:
            wake_ups = await store.open_wake_ups("w1")
            channel = store.keys.wake_ups("w1")
            await asyncio.gather(*[store.client.spublish(channel, name) for name in (INBOX, QUEUE)])
            assert await wake_ups.next() == INBOX  # the other one has arrived with it, or is on its way
            await store.client.client_kill_filter(_type="pubsub")
            assert await wake_ups.next() == QUEUE
            with pytest.raises(StoreUnavailable):
                await wake_ups.next()
            await wake_ups.close()

        run(lose_after_two())

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
        accept(run, store, TOO_MANY)
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
