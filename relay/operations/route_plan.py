"""Compare what two configurations make of stored hooks: as if each had been in force when they arrived. Reads alone."""

from collections.abc import Sequence, Set
from typing import Final

from relay.config.config import Config
from relay.model import Receipt, ReceiptState, Record, RoutedReceipt
from relay.operations.plan_arrivals import ArrivalFacts, FollowedDelivery, read_arrivals
from relay.operations.plan_side import MadeDelivery, PlanSide
from relay.operations.plan_tally import PlanTally, RouteChange
from relay.store.reader import Reader

PAGE: Final = 200  # hooks in one step: reading them, planning them twice
_IDS_AT_ONCE: Final = 1_000
MOST_HOOKS: Final = 200_000  # of a span: what the store keeps of finished ones by default


class PlannedSpan(Record):
    """Which stored hooks to plan, of one source where it is named: the last so many, or those of a span.

    Times are epoch milliseconds.
    """

    last: int | None = None
    since: int | None = None
    until: int | None = None
    source: str = ""


class RoutePlan(Record):
    """What a new configuration would have done with stored hooks, beside another one. Times are epoch milliseconds."""

    hooks: int
    events: int
    oldest: int | None
    newest: int | None
    before: str  # versions of the configurations
    after: str
    left_out: int  # hooks that killed workers: they are quarantined, and not planned here either
    more: int
    fewer: int
    changed: int
    routes: Sequence[RouteChange]  # each route of either configuration


class _Plan:
    """A plan that is being made: two configurations, what they have made so far, and which receipts are planned."""

    def __init__(self, reader: Reader, before: Config, after: Config, planned: frozenset[str]) -> None:
        self._reader = reader
        self._sides = PlanSide(before), PlanSide(after)
        self._planned = planned
        self.tally = PlanTally(before, after)

    async def plan(self, receipts: Sequence[Receipt]) -> None:
        """Plan the next receipts, in the order of their arrival."""
        self.tally.note_hooks(receipts)
        planned = [side.plan(receipts) for side in self._sides]
        await self._learn_once(planned)
        arrivals: list[list[FollowedDelivery]] = [[], []]
        for at, receipt in enumerate(receipts):
            made: list[list[MadeDelivery]] = []
            for side, parts, found in zip(self._sides, planned, arrivals, strict=True):
                is_followed = not receipt.original_id or side.follows(receipt, self._planned)
                made.append(side.made(parts[at]) if is_followed else [])
                found += side.arrivals(receipt, parts[at], made[-1])
            before, after = made
            self.tally.add(before, after, len(planned[1][at].events))
        await self._follow(arrivals)

    async def _follow(self, arrivals: Sequence[Sequence[FollowedDelivery]]) -> None:
        """Plan what follows the arrival of deliveries, where no fact of the store tells of it."""
        by_id = {one.id: one for found in arrivals for one in found}
        if not by_id:
            return
        ids = [{one.id for one in found} for found in arrivals]  # of each side
        of_arrivals = await read_arrivals(self._reader, list(by_id.values()), self._planned)
        for id in sorted(of_arrivals.unanswered):
            route = by_id[id].delivery.route
            followers = (
                side.followers_of(route) if id in own else () for side, own in zip(self._sides, ids, strict=True)
            )
            self.tally.add_unanswered(*followers)
        await self._follow(await self._plan_arrivals(of_arrivals, ids))

    async def _plan_arrivals(self, of_arrivals: ArrivalFacts, ids: Sequence[Set[str]]) -> list[list[FollowedDelivery]]:
        """Plan what is told of arrivals, by each side of its own. Returns what arrives because of that."""
        own_facts = [{id: fact for id, fact in of_arrivals.facts.items() if id in own} for own in ids]
        planned = [side.plan(list(facts.values())) for side, facts in zip(self._sides, own_facts, strict=True)]
        await self._learn_once(planned)
        parts = [dict(zip(facts, of_side, strict=True)) for facts, of_side in zip(own_facts, planned, strict=True)]
        arrivals: list[list[FollowedDelivery]] = [[], []]
        for id, fact in of_arrivals.facts.items():
            made: list[list[MadeDelivery]] = [[], []]
            for side, of_side, own, found in zip(self._sides, parts, made, arrivals, strict=True):
                if id in of_side:
                    own += side.made(of_side[id])
                    found += side.arrivals(fact, of_side[id], own)
            before, after = made
            self.tally.add(before, after, 0)
        return arrivals

    async def _learn_once(self, planned: Sequence[Sequence[RoutedReceipt]]) -> None:
        assert self.tally.oldest is not None  # of these receipts, or of some before
        for side, parts in zip(self._sides, planned, strict=True):
            ids = side.unknown_once(parts)
            side.learn_once(ids, await self._reader.made_before(ids, self.tally.oldest))


async def plan_routes(reader: Reader, before: Config, after: Config, span: PlannedSpan) -> RoutePlan:
    """Plan what two configurations make of a span of hooks, from the oldest on. Raises StoreUnavailable."""
    ids = await _read_ids(reader, span)
    left_out = set(await _read_all(reader, span, MOST_HOOKS, ReceiptState.QUARANTINED)) & set(ids)
    ids = [id for id in reversed(ids) if id not in left_out]
    plan = _Plan(reader, before, after, frozenset(ids))
    tally = plan.tally
    for at in range(0, len(ids), PAGE):
        raw = await reader.raw_receipts(ids[at : at + PAGE])
        if receipts := list(raw.values()):
            await plan.plan(receipts)
    return RoutePlan(
        hooks=tally.hooks,
        events=tally.events,
        oldest=tally.oldest,
        newest=tally.newest,
        before=before.version,
        after=after.version,
        left_out=len(left_out),
        more=sum(route.more for route in tally.changes()),
        fewer=sum(route.fewer for route in tally.changes()),
        changed=sum(route.changed for route in tally.changes()),
        routes=tally.changes(),
    )


async def _read_ids(reader: Reader, span: PlannedSpan) -> list[str]:
    """Return the ids of the hooks of a span, the newest first."""
    return await _read_all(reader, span, span.last or MOST_HOOKS, None)


async def _read_all(reader: Reader, span: PlannedSpan, most: int, state: ReceiptState | None) -> list[str]:
    found: dict[str, None] = {}  # a hook that arrives meanwhile moves others into the next page: none is lost
    start = 0
    while len(found) < most:
        page = await reader.receipts_between(span.since, span.until, start, _IDS_AT_ONCE, state)
        if not page:
            break
        start += len(page)
        if span.source:
            page = [one.id for one in await reader.receipts(page) if one.source == span.source]
        found |= dict.fromkeys(page)
    return list(found)[:most]
