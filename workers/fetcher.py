"""Fetch what waiting deliveries need from a source's account, and move them on.

Look-ups are shared: whatever waits when the account may be asked is looked up together, and while that is on its way
the next ones gather. A look-up harms nobody, so a worker that dies at it leaves no more than a lease that runs out.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from relay.accounts.client import AccountClient
from relay.accounts.lookups import People
from relay.accounts.people_cache import people_of
from relay.completing import PendingLookup, complete_lookup, pending_lookups, what_to_fetch
from relay.errors import AccountUnavailable, RelayError, StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.model import Attempt, CompletedLookup, Delivery, DeliveryState, Outcome, Result
from relay.retrying import Policy, decide
from relay.store.keys import account_queue
from relay.store.reader import Reader
from relay.store.records import Settlement
from relay.store.shared_state import SharedState
from relay.store.store import Store
from workers.single_flight import SingleFlight

BATCH = 200  # deliveries looked up together
LOOK_UP_SECONDS = 20.0
MOVED_AT_ONCE, MOVED_BYTES = 100, 1 << 20  # a script blocks the store while it runs
POLICY = Policy(throttled_ms=10_000)  # the account is asked again, for days if need be: nothing is wrong with the event

_json = msgspec.json.Encoder().encode


class Fetcher:
    """At most one for each source in a process. A bell for one that runs makes it look once more."""

    def __init__(
        self,
        source: str,
        live: LiveConfig,
        store: Store,
        account: Callable[[str], AccountClient],
        begin: Callable[[Sequence[str]], object],
        worker: str,
        stopping: Callable[[], bool],
    ) -> None:
        self._source = source
        self._queue = account_queue(source)
        self._live = live
        self._store = store
        self._reader = Reader(store.client, store.namespace)
        self._shared = SharedState(store.client, store.namespace)
        self._account = account
        self._begin = begin
        self._worker = worker
        self._stopping = stopping
        self._fetching = SingleFlight(self._work_off, "account", source=source)
        self._claims = 0
        self._most = BATCH

    def start(self) -> None:
        """Fetch until nothing waits."""
        self._fetching.start()

    async def _work_off(self) -> None:
        while not self._stopping() and await self._batch():
            pass

    async def _batch(self) -> bool:
        """Take what waits and move it on. Returns whether there was any."""
        self._claims += 1
        token = f"{self._worker}:f{self._claims}"
        lease_ms = round(LOOK_UP_SECONDS * 1000) + self._live.config.worker.lease_margin
        claim = await self._store.claim_lookups(self._queue, token, self._most, lease_ms)
        for id in claim.poisoned:
            log.error("delivery.poisoned", delivery_id=id, queue=self._queue, reason="the worker died five times")
        if claim.items:
            await self._fetch(claim.items)
        return bool(claim.items)

    async def _fetch(self, deliveries: Sequence[Delivery]) -> None:
        receipts = await self._reader.raw_receipts(sorted({one.event_id.partition(".")[0] for one in deliveries}))
        config, sinks = self._live.config, self._live.sinks
        known, unknown = await asyncio.to_thread(pending_lookups, deliveries, receipts, config, sinks)
        await self._put_off(
            unknown, Result(outcome=Outcome.THROTTLED, reason=_unknown(config.version), after_ms=60_000)
        )
        try:
            people = await self._look_up(known)
        except StoreUnavailable:
            raise
        except TimeoutError:
            # So slow an account answers fewer at a time.
            self._most = max(len(deliveries) // 2, 1)
            reason = f"the look-up took longer than {LOOK_UP_SECONDS:.0f} s"
            await self._put_off([one.delivery for one in known], Result(outcome=Outcome.THROTTLED, reason=reason))
        except RelayError as error:
            await self._put_off([one.delivery for one in known], _failed(error))
        else:
            self._most = min(self._most * 2, BATCH)
            await self._move(await asyncio.to_thread(_completed, known, people))

    async def _look_up(self, known: Sequence[PendingLookup]) -> Mapping[str, People]:
        leads, what = what_to_fetch(known)
        if not leads:
            return {}
        began = time.monotonic()
        async with asyncio.timeout(LOOK_UP_SECONDS):
            found = await people_of(self._account(self._source), self._shared, sorted(leads), sorted(what))
        log.info(
            "leads.looked_up", source=self._source, deliveries=len(known), leads=len(leads), asked=found.asked,
            found=len(found.people), ms=round((time.monotonic() - began) * 1000),
        )  # fmt: skip
        return found.people

    async def _move(self, moved: Sequence[CompletedLookup]) -> None:
        for part in _parts(moved):
            queues, stale = await self._store.complete_lookups(self._queue, part)
            for id in stale:
                log.warning("delivery.late", delivery_id=id, queue=self._queue)
            self._begin(queues)

    async def _put_off(self, deliveries: Sequence[Delivery], result: Result) -> None:
        """Let deliveries wait: the account cannot be asked, or will not answer. No attempt is consumed."""
        if not deliveries:
            return
        log.warning("account.unanswered", source=self._source, deliveries=len(deliveries), reason=result.reason)
        for at in range(0, len(deliveries), MOVED_AT_ONCE):
            part = deliveries[at : at + MOVED_AT_ONCE]
            await self._store.postpone_lookups(self._queue, [self._settlement(one, result) for one in part])

    def _settlement(self, delivery: Delivery, result: Result) -> Settlement:
        at = time.time_ns() // 1_000_000
        decision = decide(
            result, attempts=delivery.attempts, age_ms=at - delivery.accepted_at, policy=POLICY, jitter=random.random()
        )
        attempt = Attempt(
            number=delivery.attempts + 1,
            at=at,
            took_ms=0,
            outcome=result.outcome,
            reason=f"look-up: {result.reason}",
            decision=decision.kind,
            next_at=at + decision.delay_ms,
            worker=self._worker,
        )
        return Settlement(delivery=delivery, outcome=result.outcome, decision=decision, attempt=_json(attempt))

    async def finish(self, deadline: float) -> None:
        """Let what is on its way end; at `deadline` (monotonic seconds) leave it to its leases."""
        await self._fetching.ended_by(deadline)


def _completed(known: Sequence[PendingLookup], people: Mapping[str, People]) -> list[CompletedLookup]:
    return [_complete(one, people.get(one.lead)) for one in known]


def _complete(one: PendingLookup, people: People | None) -> CompletedLookup:
    try:
        return complete_lookup(one, people)
    except Exception as error:  # noqa: BLE001  a defect of ours: this delivery is put aside, the others go on
        log.exception("delivery.failed", delivery_id=one.delivery.id, route=one.route.name)
        reason = f"the relay failed on it: {type(error).__name__}"
        return CompletedLookup(delivery=one.delivery, content=b"", state=DeliveryState.DEAD, reason=reason)


def _failed(error: RelayError) -> Result:
    """Return what a failed look-up means: later again; or the account will have none of us, and its gate closes."""
    if isinstance(error, AccountUnavailable):
        return Result(outcome=Outcome.THROTTLED, reason=str(error), after_ms=error.after_ms)
    return Result(outcome=Outcome.BLOCKED, reason=str(error))


def _unknown(version: str) -> str:
    return f"its route or sink is not in configuration {version}: bring it back, or cancel this delivery"


def _parts(moved: Sequence[CompletedLookup]) -> list[list[CompletedLookup]]:
    """Put what is moved into parts for one script call each."""
    parts: list[list[CompletedLookup]] = []
    size = 0
    for one in moved:
        size += len(one.content)
        if not parts or len(parts[-1]) >= MOVED_AT_ONCE or size > MOVED_BYTES:
            parts.append([])
            size = len(one.content)
        parts[-1].append(one)
    return parts
