"""Replay of the JSON API: route stored hooks again, by today's configuration."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Final

import msgspec

from relay.config.suggestions import did_you_mean
from relay.model import ReceiptState, Record
from relay.operations.replay import Replay, ReplayLimits, find_receipts
from relay.operations.replaying import NOTHING, ReplayCount, count_planned, write_replay
from relay.operations.search import MOST_LISTED, EventFilter
from relay.web.admin.api.operation import BAD_REQUEST, ActBody, ApiFailure, Call, Operation, Operations
from relay.web.admin.api.queries import Entity, Time, read_entity, read_time

MOST_RECEIPTS: Final = 1000  # of one request, which somebody waits for


class ReplayRequest(ActBody):
    """Which events or whole receipts: their ids, or what the filters find. `dry_run`: say what would come of it."""

    ids: Annotated[Sequence[str], msgspec.Meta(max_length=MOST_LISTED)] = ()
    source: str = ""
    event: str = ""
    entity: Entity = ""
    state: ReceiptState | None = None
    since: Time = ""
    until: Time = ""
    route: Annotated[str, msgspec.Meta(description="Make only deliveries of this route.")] = ""
    sink: Annotated[str, msgspec.Meta(description="Make only deliveries to this sink.")] = ""
    force: Annotated[bool, msgspec.Meta(description="Deliver again what was delivered or cancelled.")] = False
    dry_run: bool = False


class Replayed(Record):
    """What a replay would do, and what it did; null: nothing was to be written."""

    planned: ReplayCount
    done: ReplayCount | None


async def replay(call: Call) -> Replayed:
    """Plan a replay, and unless it is a dry run do it."""
    body, config = call.body, call.live.config
    for name, given, known in (
        ("route", body.route, [route.name for route in config.routes]),
        ("sink", body.sink, config.sinks),
    ):
        if given and given not in known:
            raise ApiFailure(BAD_REQUEST, f"{name}: the configuration has no {given}, {did_you_mean(given, known)}")
    plan = Replay(call.reader, config, ReplayLimits(route=body.route, sink=body.sink, force=body.force))
    planned = NOTHING
    async for page in _pages(call):
        planned = planned.plus(count_planned(await plan.plan(page)))
        if planned.receipts > MOST_RECEIPTS:
            advice = "narrow the filters, or use `relay replay`"
            raise ApiFailure(BAD_REQUEST, f"more than {MOST_RECEIPTS:,} receipts are found: {advice}")
    if body.dry_run or not planned.writes:
        return Replayed(planned=planned, done=None)
    done = NOTHING
    async for page in _pages(call):
        for one in await plan.plan(page):
            done = done.plus(await write_replay(call.store, config, one, call.author, force=body.force))
    return Replayed(planned=planned, done=done)


async def _pages(call: Call) -> AsyncIterator[Sequence[str]]:
    body = call.body
    if body.ids:
        yield body.ids
        return
    filters = EventFilter(
        source=body.source, event=body.event, entity=read_entity(body.entity), state=body.state or "",
        since=read_time(body.since, "since"), until=read_time(body.until, "until"), limit=1,
    )  # fmt: skip
    if filters == EventFilter(limit=1) and not (body.route or body.sink):
        raise ApiFailure(BAD_REQUEST, "say what to replay: ids of events, or since, state, route and so on")
    async for page in find_receipts(call.reader, filters):
        yield page


OPERATIONS: Operations = (
    Operation(
        method="POST", path="/replay", summary="Route stored hooks again, by today's configuration. Safe to repeat.",
        handler=replay, answer=Replayed, body=ReplayRequest, acts=True, command="replay",
    ),
)  # fmt: skip
