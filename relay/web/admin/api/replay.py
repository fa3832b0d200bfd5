"""Replay of the JSON API: route stored hooks again, by today's configuration."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from relay.config.suggestions import did_you_mean
from relay.model import ReceiptState, Record
from relay.operations.action_preview import ActionPreview, preview_action
from relay.operations.actions import DEFAULT_RATE, ActionKind, ActionRequest, StartedAction, start_action
from relay.operations.replay import Replay, ReplayLimits
from relay.operations.replaying import NOTHING, ReplayCount, count_planned, write_replay
from relay.operations.search import MOST_LISTED, EventFilter
from relay.web.admin.api.actions import PREVIEW_SECONDS, Rate
from relay.web.admin.api.operation import BAD_REQUEST, ActBody, ApiFailure, Call, Operation, Operations
from relay.web.admin.api.queries import Email, Entity, Phone, Time, read_entity, read_person, read_time


class ReplayRequest(ActBody):
    """Which events or whole receipts: their ids, replayed at once, or what the filters find, by an action.

    `dry_run`: say what would come of it.
    """

    ids: Annotated[Sequence[str], msgspec.Meta(max_length=MOST_LISTED)] = ()
    source: str = ""
    event: str = ""
    entity: Entity = ""
    phone: Phone = ""
    email: Email = ""
    text: Annotated[str, msgspec.Meta(description="Only with this text in the hook.")] = ""
    state: ReceiptState | None = None
    reason: Annotated[str, msgspec.Meta(description="A part of it.")] = ""
    since: Time = ""
    until: Time = ""
    route: Annotated[str, msgspec.Meta(description="Make only deliveries of this route.")] = ""
    sink: Annotated[str, msgspec.Meta(description="Make only deliveries to this sink.")] = ""
    force: Annotated[bool, msgspec.Meta(description="Deliver again what was delivered or cancelled.")] = False
    rate: Rate = DEFAULT_RATE
    dry_run: bool = False


class Replayed(Record):
    """Of ids what would come of it, and what came of it; null: nothing was to be written.

    Of filters what the action would do, where that was asked; else the action, or the one of the same that runs.
    """

    planned: ReplayCount | None = None
    done: ReplayCount | None = None
    preview: ActionPreview | None = None
    started: StartedAction | None = None


async def replay(call: Call) -> Replayed:
    """Replay ids at once, or start an action; of a dry run say what would come of it."""
    body, config = call.body, call.live.config
    for name, given, known in (
        ("route", body.route, [route.name for route in config.routes]),
        ("sink", body.sink, config.sinks),
    ):
        if given and given not in known:
            raise ApiFailure(BAD_REQUEST, f"{name}: the configuration has no {given}, {did_you_mean(given, known)}")
    filters = EventFilter(
        source=body.source, event=body.event, entity=read_entity(body.entity), state=body.state or "",
        reason=body.reason, text=body.text, person=read_person(body.phone, body.email, call.settings.secret_key),
        since=read_time(body.since, "since"), until=read_time(body.until, "until"),
    )  # fmt: skip
    if body.ids:
        if filters != EventFilter():
            raise ApiFailure(BAD_REQUEST, "give ids, or since, state and so on; not both")
        return await _replay_ids(call)
    if filters == EventFilter() and not (body.route or body.sink):
        raise ApiFailure(BAD_REQUEST, "say what to replay: ids of events, or since, state, route and so on")
    request = ActionRequest(
        kind=ActionKind.REPLAY, filter=filters, route=body.route, sink=body.sink, force=body.force, rate=body.rate
    )
    if body.dry_run:
        return Replayed(preview=await preview_action(call.reader, request, config, PREVIEW_SECONDS))
    return Replayed(started=await start_action(call.store, call.reader, request, call.author))


async def _replay_ids(call: Call) -> Replayed:
    body, config = call.body, call.live.config
    limits = ReplayLimits(route=body.route, sink=body.sink, force=body.force)
    receipts = await Replay(call.reader, config, limits).plan(body.ids)
    planned = count_planned(receipts)
    if body.dry_run or not planned.writes:
        return Replayed(planned=planned)
    done = NOTHING
    for one in receipts:
        done = done.plus(await write_replay(call.store, config, one, call.author, force=body.force))
    return Replayed(planned=planned, done=done)


OPERATIONS: Operations = (
    Operation(
        method="POST", path="/replay", summary="Route stored hooks again, by today's configuration. Safe to repeat.",
        handler=replay, answer=Replayed, body=ReplayRequest, acts=True, command="replay",
    ),
)  # fmt: skip
