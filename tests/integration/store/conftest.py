"""Bring a store to where a test begins."""

import itertools
from collections.abc import Sequence

import pytest

from relay.model import Breaker, Delivery, Limit, Outcome, Receipt
from relay.store.keys import sink_queue
from relay.store.records import Claim, Settlement
from relay.store.requests import sink_claim_request
from tests.integration.store.shapes import give_back, hook, new, routed, settlement

pytest.register_assert_rewrite("tests.integration.store.reference")  # its assertions say what they saw, too

BREAKER = Breaker(share=0.5, minimum=10, window_ms=60_000)


class Given:
    """What must have happened before a test's own part begins. Ids count upwards, so they sort as they were made."""

    def __init__(self, run, store) -> None:
        self._run = run
        self._store = store
        self._numbers = itertools.count()

    def accepted(self, n: int = 1) -> list[str]:
        """Receipts in the inbox, every body another."""
        ids = [f"r{next(self._numbers):04}" for _ in range(n)]
        self._run(self._store.accept([hook(id, id.encode()) for id in ids]))
        return ids

    def taken(self, n: int = 1) -> list[Receipt]:
        """Receipts that a router holds under the token "router"."""
        self.accepted(n)
        return self._run(self._store.claim_receipts("router", 100, 60_000)).items

    def pending(self, n: int = 1, **more) -> list[str]:
        """Deliveries, each of a receipt of its own."""
        parts = [routed(r, new(f"d{next(self._numbers):04}", r.id, **more)) for r in self.taken(n)]
        self._run(self._store.save_routed("router", parts))
        return [delivery.id for part in parts for delivery in part.deliveries]

    def waiting_for_lookups(self, n: int = 1, **more) -> list[str]:
        """Deliveries that wait for a look-up in the account first."""
        reason = "waits for a look-up of contacts"
        return self.pending(n, **{"needs_lookup": True, "content": b"", "reason": reason, **more})

    def claimed(self, n: int = 1, token: str = "w1", lease_ms: int = 60_000) -> list[Delivery]:
        """Deliveries that a drainer holds."""
        self.pending(n)
        return self.claim(token, lease_ms=lease_ms).items

    def leased(self, **more) -> Delivery:
        """One delivery that a drainer holds."""
        (only,) = self.claimed(1, **more)
        return only

    def claim(
        self, token: str = "w1", sink: str = "books", max: int = 100, lease_ms: int = 60_000, concurrency: int = 0,
        limits: Sequence[Limit] = (),
    ) -> Claim[Delivery]:  # fmt: skip
        """Claim of a sink."""
        return self._run(
            self._store.claim_deliveries(sink_claim_request(sink, token, max, lease_ms, concurrency, limits))
        )

    def given_back(self, *deliveries: Delivery) -> None:
        """Deliveries of one sink that wait again, though a drainer held them."""
        queue, ids = sink_queue(deliveries[0].sink), [delivery.id for delivery in deliveries]
        self._run(give_back(self._store, queue, "d", ids))

    def settle(self, *items: Settlement, **counts: int) -> list[str]:
        """Settle attempts of one sink."""
        return self._run(self._store.settle(items[0].delivery.sink, items, counts, BREAKER))

    def settle_and_claim(
        self, token: str, *items: Settlement, sink: str = "books", max: int = 100, lease_ms: int = 60_000,
        concurrency: int = 0, limits: Sequence[Limit] = (), batch: tuple[int, int] = (0, 0), **counts: int,
    ) -> tuple[list[str], Claim[Delivery]]:  # fmt: skip
        """Settle attempts of a sink, and claim of it under a token."""
        request = sink_claim_request(sink, token, max, lease_ms, concurrency, limits, batch)
        return self._run(self._store.settle_and_claim(sink, items, counts, request, BREAKER))

    def settled(self, delivery: Delivery, outcome: Outcome, number: int = 1, **decision) -> str:
        """Settle one attempt."""
        (answer,) = self.settle(settlement(delivery, outcome, number, **decision))
        return answer

    def settled_lookup(self, delivery: Delivery) -> None:
        """Write that a look-up was not answered."""
        queue = f"account:{delivery.source}"
        self._run(self._store.postpone_lookups(queue, [settlement(delivery, Outcome.RETRY)], asked=True))


@pytest.fixture
def given(run, store) -> Given:
    """Bring the store to where a test begins."""
    return Given(run, store)


@pytest.fixture
def look(run, reader):
    """Read one delivery."""

    def read(id: str):
        (found,) = run(reader.deliveries([id]))
        return found

    return read


@pytest.fixture
def look_at_receipt(run, reader):
    """Read one receipt."""

    def read(id: str):
        (found,) = run(reader.receipts([id]))
        return found

    return read
