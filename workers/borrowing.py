"""Drain a sink whose home is another shard: borrow there what may leave, claim here, report there what it came to."""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from msgspec.structs import replace

from relay.errors import StoreUnavailable
from relay.logs import log
from relay.model import Breaker, Delivery
from relay.store.keys import sink_queue
from relay.store.records import SUSPECT_AFTER, Claim, Settlement
from relay.store.requests import settlement_row
from relay.store.store import Store
from relay.store.wire.claims import ClaimRequest
from relay.store.wire.lending import BegunTrial, Granted, LendReply, ReportRow, ReturnRequest
from workers.claim_tokens import ClaimTokens
from workers.hand import ALONE_SECONDS

HOME_SECONDS: Final = 1.0  # for an answer of the home: what waits for it here is to be settled in time
START_SECONDS: Final = 2.0  # from the request until what was lent has begun: a limit counts it from then on
AWAY_SECONDS: Final = 2.0  # until a home that does not answer is asked again
LONGER_MS: Final = round(ALONE_SECONDS * 1000) + 15_000  # a suspect's lease is longer by as much, too
T = TypeVar("T")


class _Slot(NamedTuple):
    """A slot that the home has lent, of a delivery that runs."""

    token: str
    number: int
    until: float  # monotonic seconds


class _Lent(NamedTuple):
    """What the home has lent now, and what it says of what was reported."""

    token: str
    reply: LendReply
    marks: Mapping[str, str]  # what deliveries are to remember that were blocked, by their ids
    tried_first: str  # the id of one that is to be due for the trial


class Home(NamedTuple):
    """The home of a sink, and the shard that borrows of it."""

    name: str
    store: Store
    borrower: str


class Borrowing:
    """The calls of a drainer to its shard, where the home of its sink is another one.

    While the home does not answer nothing leaves, and no attempt is consumed; what is out is settled all the same.
    What nobody reports is free again at the end of its lease.
    """

    def __init__(self, sink: str, store: Store, home: Home, worker: str) -> None:
        self._sink = sink
        self._store = store
        self._home = home
        self._tokens = ClaimTokens(worker, f"{home.borrower}.")
        self._slots: dict[tuple[str, str], _Slot] = {}  # by the deliveries' ids and tokens
        self._reports: list[tuple[ReportRow, float]] = []  # that the home may not have, and until when they matter
        self._away_until = 0.0
        self._is_away = False

    async def claim_deliveries(self, request: ClaimRequest) -> Claim[Delivery]:
        """Take what the sink may be sent now, as its home says."""
        _, claim = await self.settle_and_claim(self._sink, (), {}, request)
        return claim

    async def settle(
        self,
        sink: str,
        items: Sequence[Settlement],
        counts: Mapping[str, int],
        breaker: Breaker | None = None,
        begun: Sequence[Delivery] = (),
    ) -> list[str]:
        """Report what attempts came to, and write it. Returns as `Store.settle`."""
        assert not begun, "nothing is claimed ahead of a slot that is lent"
        self._note_reports(items)
        nothing = ClaimRequest(queue=sink_queue(sink), kind="d", token="", max=0, lease_ms=0)
        lent = await self._lend(nothing, 0, breaker)
        marks, items = self._apply(lent, items)
        return await self._store.settle_granted(sink, items, counts, marks)

    async def settle_and_claim(
        self,
        sink: str,
        items: Sequence[Settlement],
        counts: Mapping[str, int],
        request: ClaimRequest,
        breaker: Breaker | None = None,
        begun: Sequence[Delivery] = (),
    ) -> tuple[list[str], Claim[Delivery]]:
        """Do the same, and borrow and claim in the same calls."""
        assert not [*begun, *request.back], "nothing is claimed ahead of a slot that is lent"
        started = time.monotonic()
        self._note_reports(items)
        wanted = await self._count_wanted(request)
        lent = await self._lend(request, wanted, breaker)
        marks, items = self._apply(lent, items)
        request = replace(request, ahead=0, holds_ahead=False)
        if lent is None or not lent.reply.slots:
            granted = self._nothing_granted(lent, wanted)
            answers, claim, _ = await self._store.settle_and_claim_granted(sink, items, counts, request, granted, marks)
            return answers, claim
        with self._tokens.used(lent.token, request.lease_ms):
            reply = lent.reply
            granted = Granted(slots=reply.slots, wait_ms=0, at=reply.at, openings=reply.openings, gate=reply.gate)
            answers, claim, blocked = await self._store.settle_and_claim_granted(
                sink, items, counts, request, granted, marks
            )
            claim = await self._begin(request, lent, claim, blocked)
            if claim.items and time.monotonic() - started > START_SECONDS:
                raise StoreUnavailable("what the sink's home has lent came too late to begin")
        self._note_slots(request, lent, claim, started)
        return answers, claim

    async def _count_wanted(self, request: ClaimRequest) -> int:
        """Return how many slots to ask for: no more than there is something for."""
        due = await self._store.count_due(self._sink) if request.max else 0
        if request.batch > 1 and due >= request.batch_from:
            return 1
        return min(request.max, due)

    async def _lend(self, request: ClaimRequest, wanted: int, breaker: Breaker | None) -> _Lent | None:
        """Report to the home, and borrow of it; None where there is neither to do, or it is away."""
        now = time.monotonic()
        self._reports = [(row, until) for row, until in self._reports if until > now]
        self._slots = {key: slot for key, slot in self._slots.items() if slot.until > now}
        if not (wanted or self._reports) or now < self._away_until:
            return None
        token, reports = self._tokens.new(), [row for row, _ in self._reports]
        asked = replace(request, token=token, max=wanted, ahead=0, unheard=self._tokens.unheard)
        try:
            with self._tokens.used(token, request.lease_ms):
                async with asyncio.timeout(HOME_SECONDS):
                    marks, first, reply = await self._home.store.lending.lend(
                        self._home.borrower, asked, reports, breaker
                    )
        except (TimeoutError, StoreUnavailable) as error:
            self._note_away(error)
            return None
        self._note_back()
        self._home.store.clock.note(reply.at)
        del self._reports[: len(reports)]
        found = {row.item.id: mark for row, mark in zip(reports, marks, strict=True) if mark}
        return _Lent(token, reply, found, reports[first - 1].item.id if first else "")

    def _note_away(self, error: Exception) -> None:
        self._away_until = time.monotonic() + AWAY_SECONDS
        if not self._is_away:
            reason = str(error) or f"no answer within {HOME_SECONDS:g} s"
            log.warning("sink.home_away", sink=self._sink, home=self._home.name, reason=reason)
        self._is_away = True

    def _note_back(self) -> None:
        if self._is_away:
            log.info("sink.home_back", sink=self._sink, home=self._home.name)
        self._is_away, self._away_until = False, 0.0

    def _nothing_granted(self, lent: _Lent | None, wanted: int) -> Granted:
        """Say when to ask again: when the home says, when it is asked again, or when something is due here."""
        if lent is not None:
            return Granted(slots=0, wait_ms=lent.reply.wait_ms, at=lent.reply.at)
        away_ms = round(max(self._away_until - time.monotonic(), 0) * 1000)
        return Granted(slots=0, wait_ms=away_ms if wanted else 0, at=0)

    def _apply(self, lent: _Lent | None, items: Sequence[Settlement]) -> tuple[Mapping[str, str], Sequence[Settlement]]:
        """Return what deliveries are to remember, and the settlements: one is due for the gate's trial."""
        if lent is None:
            return {}, items
        return lent.marks, [_due_when_asked(one) if one.delivery.id == lent.tried_first else one for one in items]

    async def _begin(
        self, request: ClaimRequest, lent: _Lent, claim: Claim[Delivery], blocked: Mapping[str, str]
    ) -> Claim[Delivery]:
        """Give back what is not used, before anything begins. Returns the claim with what only the home knows.

        Raises StoreUnavailable: then nothing may begin.
        """
        used = min(len(claim.items), 1) if claim.batched else len(claim.items)
        begun, unused = [], []
        for trial in lent.reply.trials:
            made = [one for one in claim.items if trial.route in ("", one.route)]
            if made:
                begun.append(BegunTrial(route=trial.route, blocked=made[0].id in blocked))
            else:
                unused.append(trial)
        suspect = any(one.deaths >= SUSPECT_AFTER for one in claim.items)
        if used < lent.reply.slots or lent.reply.trials or suspect:
            request_back = ReturnRequest(
                queue=request.queue, token=lent.token, slots=lent.reply.slots, used=used, at=lent.reply.at,
                limits=request.limits, begun=begun, unused=unused, longer_ms=LONGER_MS if suspect else 0,
            )  # fmt: skip
            await self._within(self._home.store.lending.give_back(request_back))
        if not blocked:
            return claim
        faults = await self._within(self._home.store.lending.find_faults(self._sink, blocked))
        return replace(claim, items=[replace(one, at_fault=one.id in faults) for one in claim.items])

    async def _within(self, call: Awaitable[T]) -> T:
        """Wait for the home, not for long. Raises StoreUnavailable."""
        try:
            async with asyncio.timeout(HOME_SECONDS):
                return await call
        except TimeoutError as error:
            raise StoreUnavailable(f"the sink's home did not answer within {HOME_SECONDS:g} s") from error

    def _note_slots(self, request: ClaimRequest, lent: _Lent, claim: Claim[Delivery], started: float) -> None:
        """Note in which slot each delivery begins: a batch is one call, in one slot."""
        for place, delivery in enumerate(claim.items):
            longer_ms = LONGER_MS if delivery.deaths >= SUSPECT_AFTER else 0
            until = started + (request.lease_ms + longer_ms) / 1000
            number = 1 if claim.batched else place + 1
            self._slots[delivery.id, delivery.token] = _Slot(lent.token, number, until)

    def _note_reports(self, items: Sequence[Settlement]) -> None:
        """Note what is to be reported; what is settled once more was before."""
        for item in items:
            slot = self._slots.pop((item.delivery.id, item.delivery.token), None)
            if slot is not None:
                row = ReportRow(slot.token, slot.number, item.delivery.route, settlement_row(item))
                self._reports.append((row, slot.until))


def _due_when_asked(item: Settlement) -> Settlement:
    return replace(item, decision=replace(item.decision, delay_ms=item.decision.asked_ms))
