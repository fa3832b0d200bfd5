"""Fetch what waiting deliveries need from a source's account, and complete them.

Look-ups are shared: whatever waits when the account may be asked is looked up together, and what arrives meanwhile is
in the next batch. A look-up changes nothing in the account, so after a worker's death only its leases must run out.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from relay.accounts.client import AccountClient
from relay.accounts.people_cache import look_up_people
from relay.amocrm.people import People
from relay.errors import AccountUnavailable, RelayError, StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.model import Attempt, CompletedLookup, Delivery, DeliveryState, Outcome, Result
from relay.planning.lookups import PendingLookup, complete_lookup, pending_lookups, what_to_fetch
from relay.retrying import Policy, decide
from relay.store.keys import account_queue
from relay.store.parts import CALL_ITEMS, group
from relay.store.reader import Reader
from relay.store.records import SUSPECT_AFTER, Settlement
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.tracing.tracer import Tracer
from workers.claim_tokens import ClaimTokens
from workers.hand import Hand
from workers.lookup_spans import LookupSpans
from workers.single_flight import SingleFlight
from workers.watchdog import Watchdog

BATCH = 200  # deliveries looked up together
LOOK_UP_SECONDS = 20.0
POLICY = Policy(throttled_ms=10_000)  # asked again for days if need be: nothing is wrong with the event

_json = msgspec.json.Encoder().encode


class Fetcher:
    """At most one for each source in a process. A bell for one that runs makes it claim once more.

    `start_queues` starts the work on queues in this process.
    """

    def __init__(
        self,
        source: str,
        live: LiveConfig,
        store: Store,
        account: Callable[[str], AccountClient],
        start_queues: Callable[[Sequence[str]], object],
        worker: str,
        stopping: Callable[[], bool],
        watchdog: Watchdog,
        hand: Hand | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._source = source
        self._tracer = tracer or Tracer()
        self._queue = account_queue(source)
        self._live = live
        self._store = store
        self._reader = Reader(store.client, store.namespace)
        self._shared = SharedState(store.client, store.namespace)
        self._account = account
        self._start_queues = start_queues
        self._worker = worker
        self._stopping = stopping
        self._watched = watchdog.watched(f"look-ups of {source}")
        self._fetching = SingleFlight(self._fetch_all, "fetcher", source=source)
        self._tokens = ClaimTokens(worker, "f")
        self._hand = hand or Hand()
        self._batch = BATCH

    def start(self) -> None:
        """Fetch until nothing waits."""
        self._fetching.start()

    async def _fetch_all(self) -> None:
        while not self._stopping() and await self._fetch_next():
            pass

    async def _fetch_next(self) -> bool:
        """Claim what waits and look it up. Returns whether there was anything."""
        await self._hand.wait_until_open()
        token = self._tokens.new()
        lease_ms = round(LOOK_UP_SECONDS * 1000) + self._live.config.worker.lease_margin
        with self._tokens.used(token, lease_ms):
            claim = await self._store.claim_lookups(self._queue, token, self._batch, lease_ms, self._tokens.unheard)
        for id in claim.poisoned:
            log.error("delivery.poisoned", delivery_id=id, queue=self._queue, reason="the worker died five times")
        if claim.items:
            suspect = any(delivery.deaths >= SUSPECT_AFTER for delivery in claim.items)
            with self._tokens.used(claim.token, lease_ms):
                async with self._hand.hold(suspect=suspect):
                    spans = LookupSpans(self._tracer, claim.items)
                    try:
                        await self._fetch(claim.items, spans)
                    finally:
                        spans.end_rest(claim.items)
        return bool(claim.items)

    async def _fetch(self, deliveries: Sequence[Delivery], spans: LookupSpans) -> None:
        receipts = await self._reader.raw_receipts(sorted({one.event_id.partition(".")[0] for one in deliveries}))
        config, sinks = self._live.config, self._live.sinks
        lookups, unknown, unreadable = await asyncio.to_thread(
            self._watched(pending_lookups), deliveries, receipts, config, sinks
        )
        await self._postpone(unknown, _unknown_route(config.version), spans, asked=False)
        await self._complete(unreadable, spans)
        try:
            people = await self._look_up(lookups)
        except StoreUnavailable:
            raise
        except TimeoutError:
            # An account that is so slow is asked for fewer at a time.
            self._batch = max(len(deliveries) // 2, 1)
            reason = f"the look-up took longer than {LOOK_UP_SECONDS:.0f} s"
            slow = Result(outcome=Outcome.THROTTLED, reason=reason)
            await self._postpone([one.delivery for one in lookups], slow, spans)
        except RelayError as error:
            await self._postpone([one.delivery for one in lookups], _failure(error), spans)
        else:
            self._batch = min(self._batch * 2, BATCH)
            await self._complete(await asyncio.to_thread(self._watched(_complete_all), lookups, people), spans)

    async def _look_up(self, lookups: Sequence[PendingLookup]) -> Mapping[str, People]:
        leads, what = what_to_fetch(lookups)
        if not leads:
            return {}
        started = time.monotonic()
        async with asyncio.timeout(LOOK_UP_SECONDS):
            found = await look_up_people(self._account(self._source), self._shared, sorted(leads), sorted(what))
        log.info(
            "lookup.completed", source=self._source, deliveries=len(lookups), leads=len(leads), asked=found.fetched,
            found=len(found.people), ms=round((time.monotonic() - started) * 1000),
        )  # fmt: skip
        return found.people

    async def _complete(self, completed: Sequence[CompletedLookup], spans: LookupSpans) -> None:
        """Move deliveries to their sinks, or to their end."""
        for part in group(completed, size=lambda one: len(one.content)):
            queues, stale = await self._store.complete_lookups(self._queue, part)
            for id in stale:
                log.warning("delivery.late", delivery_id=id, queue=self._queue)
            for one in part:
                spans.end(one.delivery, one.state.value, failed=one.state is DeliveryState.DEAD)
            self._start_queues(queues)

    async def _postpone(
        self, deliveries: Sequence[Delivery], result: Result, spans: LookupSpans, *, asked: bool = True
    ) -> None:
        """Let deliveries wait: the account was asked in vain, or need not be yet. No attempt is consumed."""
        if not deliveries:
            return
        log.warning("lookup.postponed", source=self._source, deliveries=len(deliveries), reason=result.reason)
        for at in range(0, len(deliveries), CALL_ITEMS):
            part = deliveries[at : at + CALL_ITEMS]
            settlements = [self._settlement(one, result) for one in part]
            await self._store.postpone_lookups(self._queue, settlements, asked=asked)
            for one in part:
                spans.end(one, result.outcome.value, failed=asked)

    def _settlement(self, delivery: Delivery, result: Result) -> Settlement:
        at = self._store.clock.ms()
        decision = decide(
            result, attempts=delivery.attempts, age_ms=at - delivery.accepted_at, policy=POLICY, jitter=random.random()
        )
        if not decision.gate_ms:  # what closes the account's gate names the account itself
            decision = msgspec.structs.replace(decision, reason=f"waits for a look-up: {result.reason}")
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
        """Let the look-up in flight end; at `deadline` (monotonic seconds) leave its deliveries to their leases."""
        await self._fetching.wait_or_cancel(deadline)


def _complete_all(lookups: Sequence[PendingLookup], people: Mapping[str, People]) -> list[CompletedLookup]:
    return [_complete_one(one, people.get(one.lead)) for one in lookups]


def _complete_one(lookup: PendingLookup, people: People | None) -> CompletedLookup:
    try:
        return complete_lookup(lookup, people)
    except Exception as error:  # noqa: BLE001  a defect in the relay: this delivery is dead, the others go on
        log.exception("delivery.failed", delivery_id=lookup.delivery.id, route=lookup.route.name)
        reason = f"internal error: {type(error).__name__}"
        return CompletedLookup(delivery=lookup.delivery, content=b"", state=DeliveryState.DEAD, reason=reason)


def _failure(error: RelayError) -> Result:
    """Return what a failed look-up means: ask again later, or close the account's gate where it refuses us."""
    if isinstance(error, AccountUnavailable):
        return Result(outcome=Outcome.THROTTLED, reason=str(error), after_ms=error.after_ms)
    return Result(outcome=Outcome.BLOCKED, reason=str(error))


def _unknown_route(version: str) -> Result:
    reason = f"its route or sink is not in configuration {version}: bring it back into the file"
    return Result(outcome=Outcome.THROTTLED, reason=reason, after_ms=60_000)
