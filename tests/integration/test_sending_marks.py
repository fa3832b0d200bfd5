"""Deliveries that are about to leave in the same loop tick are marked in one call, with an answer for each."""

import asyncio

import pytest

from relay.errors import StoreUnavailable
from relay.store.parts import CALL_ITEMS
from relay.store.records import Claim
from relay.store.requests import sink_claim_request
from tests.integration.scripted_sink import queue_deliveries
from workers.sending_marks import SendingMarks


class WatchedStore:
    """A store whose calls can be counted, delayed and refused."""

    def __init__(self, store) -> None:
        self._store = store
        self.calls: list[list[str]] = []
        self.began: asyncio.Queue[None] = asyncio.Queue()
        self.may_go = asyncio.Event()
        self.may_go.set()
        self.refusal: Exception | None = None

    async def mark_sending(self, deliveries):
        self.calls.append([delivery.id for delivery in deliveries])
        self.began.put_nowait(None)
        await self.may_go.wait()
        if self.refusal:
            raise self.refusal
        return await self._store.mark_sending(deliveries)


@pytest.fixture
def watched(store) -> WatchedStore:
    return WatchedStore(store)


@pytest.fixture
def claim_items(run, store):
    """Return a function that claims so many deliveries."""

    def take(n: int) -> list:
        queue_deliveries(run, store, [b"{}"] * n)
        items = []
        for number in range(n // 100 + 1):
            claim: Claim = run(store.claim_deliveries(sink_claim_request("books", f"w{number}", 100, 60_000, 0, ())))
            items += claim.items
        return items

    return take


def mark(marks, deliveries) -> list[asyncio.Task]:
    return [asyncio.create_task(marks.mark(delivery)) for delivery in deliveries]


@pytest.fixture
def sends(run, store):
    """Count how often deliveries were marked."""

    async def read(deliveries) -> list[bytes | None]:
        return [await store.client.hget(store.keys.delivery(delivery.id), "sends") for delivery in deliveries]

    return lambda deliveries: run(read(deliveries))


def test_those_that_ask_together_are_marked_in_calls_of_a_hundred(run, watched, claim_items, sends):
    deliveries = claim_items(CALL_ITEMS + 3)

    async def go() -> list[bool]:
        return await asyncio.gather(*mark(SendingMarks(watched), deliveries))

    assert run(go()) == [True] * len(deliveries)
    assert [len(call) for call in watched.calls] == [CALL_ITEMS, 3]
    assert sends(deliveries) == [b"1"] * len(deliveries)


def test_who_asks_while_others_are_being_marked_does_not_wait_for_them(run, watched, claim_items):
    first, second = claim_items(2)

    async def go() -> list[bool]:
        marks = SendingMarks(watched)
        watched.may_go.clear()
        tasks = mark(marks, [first])
        await watched.began.get()
        tasks += mark(marks, [second])
        await watched.began.get()
        watched.may_go.set()
        return await asyncio.gather(*tasks)

    assert run(go()) == [True, True]
    assert watched.calls == [[first.id], [second.id]]


def test_one_that_is_cut_off_before_the_call_is_not_marked_and_the_others_are(run, watched, claim_items, sends):
    deliveries = claim_items(3)

    async def go() -> list[object]:
        tasks = mark(SendingMarks(watched), deliveries)
        await asyncio.sleep(0)  # all have asked
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, cut, last = run(go())
    assert (first, last) == (True, True)
    assert isinstance(cut, asyncio.CancelledError)
    assert sends(deliveries) == [b"1", None, b"1"]


def test_one_that_is_cut_off_during_the_call_leaves_the_others_theirs(run, watched, claim_items):
    deliveries = claim_items(2)

    async def go() -> list[object]:
        watched.may_go.clear()
        tasks = mark(SendingMarks(watched), deliveries)
        await watched.began.get()
        tasks[0].cancel()
        watched.may_go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    cut, other = run(go())
    assert isinstance(cut, asyncio.CancelledError)
    assert other is True


@pytest.mark.parametrize("refusal", [StoreUnavailable("away"), ValueError("a defect")])
def test_a_call_that_fails_fails_for_all_that_asked_and_for_none_after_them(run, watched, claim_items, refusal):
    first, second, later = claim_items(3)

    async def go() -> list[object]:
        marks = SendingMarks(watched)
        watched.refusal = refusal
        failed = await asyncio.gather(*mark(marks, [first, second]), return_exceptions=True)
        watched.refusal = None
        return [*failed, await marks.mark(later)]

    assert run(go()) == [refusal, refusal, True]
