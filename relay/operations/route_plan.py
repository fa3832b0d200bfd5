"""Compare what two configurations make of stored hooks: as if each had been in force when they arrived. Reads alone."""

from collections.abc import Sequence
from typing import Final

from relay.config.config import Config
from relay.model import Receipt, ReceiptState, Record
from relay.operations.plan_side import PlanSide
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


async def plan_routes(reader: Reader, before: Config, after: Config, span: PlannedSpan) -> RoutePlan:
    """Plan what two configurations make of a span of hooks, from the oldest on. Raises StoreUnavailable."""
    ids = await _read_ids(reader, span)
    left_out = set(await _read_all(reader, span, MOST_HOOKS, ReceiptState.QUARANTINED)) & set(ids)
    ids = [id for id in reversed(ids) if id not in left_out]
    sides = PlanSide(before), PlanSide(after)
    tally = PlanTally(before, after)
    for at in range(0, len(ids), PAGE):
        raw = await reader.raw_receipts(ids[at : at + PAGE])
        if receipts := list(raw.values()):
            tally.note_hooks(receipts)
            await _plan_page(reader, receipts, sides, tally)
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


async def _plan_page(
    reader: Reader, receipts: Sequence[Receipt], sides: tuple[PlanSide, PlanSide], tally: PlanTally
) -> None:
    assert tally.oldest is not None  # of these receipts, or of some before
    planned = [side.plan(receipts) for side in sides]
    for side, parts in zip(sides, planned, strict=True):
        ids = side.unknown_once(parts)
        side.learn_once(ids, await reader.made_before(ids, tally.oldest))
    for before, after in zip(*planned, strict=True):
        tally.add(sides[0].made(before), sides[1].made(after), len(after.events))


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
