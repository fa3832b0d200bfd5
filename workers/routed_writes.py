"""Write what became of receipts, and claim in the same call for the drainers of this worker.

So what is routed leaves without a claim of its own, which would wait for the store's disk once more.
"""

from collections.abc import Callable, Sequence
from typing import Final

from relay.model import DeliveryState, RoutedReceipt
from relay.store.store import Store
from workers.drainer import Drainer
from workers.prepared_claim import PreparedClaim

MOST_CLAIMS: Final = 20  # sinks in one call


class RoutedWrites:
    """`drainer_of` returns the drainer of a sink in this worker, None where it may not have one."""

    def __init__(self, store: Store, drainer_of: Callable[[str], Drainer | None]) -> None:
        self._store = store
        self._drainer_of = drainer_of

    async def write(self, token: str, parts: Sequence[RoutedReceipt]) -> tuple[list[str], list[str]]:
        """Write parts of one call, and have the drainers begin with what was claimed for them.

        Returns the queues that have other work now, and the receipts that `token` does not hold any more. Raises
        StoreUnavailable; it may be repeated then.
        """
        prepared: list[tuple[Drainer, PreparedClaim]] = []
        try:
            for sink in _sinks_of(parts):
                drainer = self._drainer_of(sink)
                claim = None if drainer is None else await drainer.prepare_claim()
                if drainer is not None and claim is not None:
                    prepared.append((drainer, claim))
            if not prepared:
                return await self._store.save_routed(token, parts)
            requests = [claim.request for _, claim in prepared]
            most = {claim.sink.name: claim.sink.max_pending for _, claim in prepared}
            queues, stale, claims = await self._store.save_routed_and_claim(token, parts, requests, most)
        except BaseException:
            for drainer, claim in prepared:
                drainer.give_back(claim)
            raise
        for (drainer, one), claimed in zip(prepared, claims, strict=True):
            drainer.take(one, claimed)
        return queues, stale


def _sinks_of(parts: Sequence[RoutedReceipt]) -> list[str]:
    """Return the sinks that are to be sent something at once."""
    sinks = {
        delivery.sink: None
        for part in parts
        for delivery in part.deliveries
        if delivery.state is DeliveryState.PENDING and not delivery.needs_lookup
    }
    return list(sinks)[:MOST_CLAIMS]
