"""Route receipts: claim them, plan what becomes of each, write it, have the sinks drained.

Runs in Celery's threads: decoding, matching and rendering must not hold up the loop that sends.
"""

import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from relay.config.schema import Worker
from relay.errors import StoreUnavailable
from relay.live import Live
from relay.logs import log, log_each
from relay.model import Receipt, ReceiptState, Routed
from relay.planning import plan
from relay.store.store import Claim, Store

PART_ITEMS = 100  # a script blocks the store while it runs
PART_BYTES = 1 << 20
T = TypeVar("T")


class Router:
    """At most one at work in a process: a second thread would only wait for the first one's interpreter lock.

    `begin` starts the work on queues in this process, from any thread.
    """

    def __init__(
        self,
        live: Live,
        store: Store,
        begin: Callable[[Sequence[str]], object],
        run: Callable[[Coroutine[Any, Any, Any]], Any],
        stopping: Callable[[], bool],
    ) -> None:
        self._live = live
        self._store = store
        self._begin = begin
        self._run = run
        self._stopping = stopping
        self._lock = threading.Lock()
        self._active = self._again = False
        self._claims = 0

    def route(self) -> None:
        """Route until the inbox is empty. Where that is being done already, have it look once more."""
        with self._lock:
            self._again = True
            if self._active:
                return
            self._active = True
        try:
            while self._look_again():
                self._route_all()
        except StoreUnavailable as error:
            log.warning("router.paused", reason=str(error))  # the ticker rings again
        finally:
            with self._lock:
                self._active = False

    def _look_again(self) -> bool:
        with self._lock:
            again, self._again = self._again, False
            if not again:
                self._active = False
            return again

    def _route_all(self) -> None:
        settings = self._live.config.worker
        while not self._stopping():
            self._claims += 1
            token = f"{os.getpid()}:{self._claims}:{os.urandom(4).hex()}"
            claim = self._run(self._claim(token, settings))
            for id in claim.buried:
                log.error("receipt.quarantined", receipt_id=id, reason="the worker died five times")
            if not claim.items:
                return
            self._write(token, [self._plan(receipt) for receipt in claim.items])

    async def _claim(self, token: str, settings: Worker) -> Claim[Receipt]:
        """Claim receipts; who subscribed before they arrived is known by then."""
        claim = await self._store.claim_receipts(token, settings.batch, settings.inbox_lease)
        if claim.items:
            await self._live.follow(self._store.subscriptions)
        return claim

    def _plan(self, receipt: Receipt) -> Routed:
        config = self._live.config
        try:
            routed = plan(receipt, config, self._live.sinks, self._live.subscribed)
        except Exception as error:  # noqa: BLE001  a defect of ours: this receipt waits for its mending, the others go on
            log.exception("receipt.quarantined", receipt_id=receipt.id)
            reason = f"the relay failed on it: {type(error).__name__}"
            state = ReceiptState.QUARANTINED
            routed = Routed(
                receipt=receipt, state=state, reason=reason, config=config.version, events=(), deliveries=()
            )
        return routed

    def _write(self, token: str, planned: list[Routed]) -> None:
        """Write what was planned. Its deliveries are begun right here; where they are many, tickers call for help."""
        for parts in _groups(part for routed in planned for part in split(routed)):
            queues, stale = self._run(self._store.route(token, parts))
            self._begin(queues)
            for id in stale:
                log.warning("receipt.late", receipt_id=id)  # a newer lease routes it
        log_each("receipt.routed", [_line(routed) for routed in planned])


def _line(routed: Routed) -> dict[str, object]:
    return {
        "receipt_id": routed.receipt.id,
        "source": routed.receipt.source,
        "state": routed.state,
        "reason": routed.reason,
        "events": len(routed.events),
        "deliveries": len(routed.deliveries),
    }


def split(routed: Routed) -> Iterator[Routed]:
    """Split what a large receipt became into parts for one script call each; the last takes it out of the inbox."""
    deliveries, events = list(routed.deliveries), list(routed.events)
    while (
        len(deliveries) > PART_ITEMS or len(events) > PART_ITEMS or sum(len(d.content) for d in deliveries) > PART_BYTES
    ):
        n, size = 0, 0
        while n < min(len(deliveries), PART_ITEMS) and (n == 0 or size + len(deliveries[n].content) <= PART_BYTES):
            size += len(deliveries[n].content)
            n += 1
        part, deliveries = deliveries[:n], deliveries[n:]
        listed, events = events[:PART_ITEMS], events[PART_ITEMS:]
        yield msgspec.structs.replace(routed, deliveries=part, events=listed, last=False)
    yield msgspec.structs.replace(routed, deliveries=deliveries, events=events)


def _groups(parts: Iterable[Routed]) -> Iterator[list[Routed]]:
    """Put small parts together into script calls."""
    group: list[Routed] = []
    items = size = 0
    for part in parts:
        n, bytes_ = 1 + len(part.deliveries), sum(len(d.content) for d in part.deliveries)
        if group and (items + n > PART_ITEMS or size + bytes_ > PART_BYTES):
            yield group
            group, items, size = [], 0, 0
        group.append(part)
        items, size = items + n, size + bytes_
    if group:
        yield group
