"""What a worker is handed over is routed in a few batches at a time; what it cannot begin in time it leaves alone."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from relay.errors import StoreUnavailable
from relay.model import Receipt
from relay.store.records import HANDED, Claim, Handed
from workers.handed_receipts import AT_ONCE, BEGIN_SECONDS, MOST_RECEIPTS, HandedReceipts


def handed(*ids: int, version: int = 0) -> Handed:
    receipts = [Receipt(id=f"r{id}", source="acme", received_at=0, body=b"") for id in ids]
    return Handed(receipts=receipts, subscriptions_version=version, store_ms=0)


class Routing:
    """Takes batches, each for as long as the test lets it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.batches: list[list[str]] = []
        self.claims: list[Claim[Receipt]] = []
        self.fails: Exception | None = None
        self.go_on = asyncio.Event()
        self.receipts = HandedReceipts(self._route, lambda: self.now)

    async def _route(self, claim: Claim[Receipt]) -> None:
        self.claims.append(claim)
        self.batches.append([one.id for one in claim.items])
        await self.go_on.wait()
        if self.fails:
            raise self.fails

    async def finish(self) -> None:
        self.go_on.set()
        await asyncio.gather(*self.receipts._tasks)


def test_so_many_batches_at_a_time_and_what_comes_meanwhile_is_the_next():
    async def go() -> list[list[str]]:
        routing = Routing()
        for id in range(AT_ONCE + 2):
            routing.receipts.add(handed(id))
            await asyncio.sleep(0)
        assert len(routing.batches) == AT_ONCE
        await routing.finish()
        return routing.batches

    alone = [[f"r{id}"] for id in range(AT_ONCE)]
    assert asyncio.run(go()) == [*alone, [f"r{AT_ONCE}", f"r{AT_ONCE + 1}"]]


def test_they_are_routed_under_the_newest_subscriptions_that_were_told_of():
    async def go() -> list[Claim[Receipt]]:
        routing = Routing()
        routing.receipts.add(handed(1, version=7))
        routing.receipts.add(handed(2, version=6))
        await asyncio.sleep(0)
        await routing.finish()
        return routing.claims

    (claim,) = asyncio.run(go())
    assert (claim.token, claim.subscriptions_version) == (HANDED, 7)
    assert [one.id for one in claim.items] == ["r1", "r2"]


def test_a_batch_has_a_bound():
    async def go() -> list[int]:
        routing = Routing()
        routing.receipts.add(handed(*range(MOST_RECEIPTS + 1)))
        await asyncio.sleep(0)
        await routing.finish()
        return [len(batch) for batch in routing.batches]

    assert asyncio.run(go()) == [MOST_RECEIPTS, 1]


def test_what_waited_for_too_long_is_left_to_others():
    async def go() -> list[list[str]]:
        routing = Routing()
        for id in range(AT_ONCE):
            routing.receipts.add(handed(id))
            await asyncio.sleep(0)
        routing.receipts.add(handed(10))
        routing.now = BEGIN_SECONDS / 2
        routing.receipts.add(handed(11))
        routing.now = BEGIN_SECONDS
        await routing.finish()
        return routing.batches[AT_ONCE:]

    assert asyncio.run(go()) == [["r11"]]


@pytest.mark.parametrize(
    ("error", "event"), [(StoreUnavailable("it is away"), "router.paused"), (ValueError(), "router.failed")]
)
def test_a_batch_that_fails_is_told_of_and_the_next_goes_on(error, event):
    async def go() -> list[list[str]]:
        routing = Routing()
        routing.fails = error
        routing.receipts.add(handed(1))
        await asyncio.sleep(0)
        routing.receipts.add(handed(2))
        await routing.finish()
        return routing.batches

    with capture_logs() as logs:
        assert asyncio.run(go()) == [["r1"], ["r2"]]
    assert [one["event"] for one in logs] == [event, event]


def test_who_ends_lets_what_is_planned_be_written_and_begins_nothing():
    async def go() -> list[list[str]]:
        routing = Routing()
        for id in range(AT_ONCE + 1):
            routing.receipts.add(handed(id))
            await asyncio.sleep(0)
        routing.go_on.set()
        await routing.receipts.finish(time.monotonic() + 10)
        return routing.batches

    assert asyncio.run(go()) == [[f"r{id}"] for id in range(AT_ONCE)]
