"""Bulk actions of the JSON API: one thing done to all that a filter finds, by the workers."""

from collections.abc import Collection
from typing import Annotated, TypeAlias

import msgspec
from msgspec.structs import replace

from relay.config.suggestions import did_you_mean
from relay.model import DeliveryState, ReceiptState, Record
from relay.operations.action_catch_up import start_catch_up
from relay.operations.action_preview import ActionPreview, preview_action
from relay.operations.actions import (
    DEFAULT_RATE,
    MOST_RATE,
    Action,
    ActionAct,
    ActionFilter,
    ActionKind,
    ActionRequest,
    StartedAction,
    TouchedPage,
    act_on_action,
    read_action,
    read_actions,
    read_touched,
    start_action,
)
from relay.operations.search import EventFilter, format_cursor
from relay.store.actions import ActionState
from relay.web.admin.api.operation import (
    BAD_REQUEST,
    ActBody,
    ApiFailure,
    Call,
    Handler,
    ListPage,
    Operation,
    Operations,
    Said,
)
from relay.web.admin.api.queries import (
    After,
    Cause,
    Email,
    Entity,
    Limit,
    Phone,
    Time,
    read_cursor,
    read_entity,
    read_person,
    read_time,
)

PREVIEW_SECONDS = 3.0
Rate: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=MOST_RATE, description="Items a second at most.")]


class ActionQuery(Record):
    """Which bulk actions to list. `source`: those whose own filter names it."""

    state: ActionState | None = None
    kind: ActionKind | None = None
    source: str = ""
    limit: Limit = 20
    after: After = ""


class TouchedQuery(Record):
    """Which part of what it has touched. `after`: the number to go on behind."""

    limit: Limit = 20
    after: Annotated[int, msgspec.Meta(ge=0, le=10**12)] = 0


class ShownAction(Record):
    """A bulk action, and what it has touched, in that order."""

    action: Action
    touched: TouchedPage


class StartBody(ActBody):
    """What is to be done to all that the filters find. `dry_run`: only say what it would do.

    A catch-up takes `source`, `since` and `until` alone, and no `dry_run`: it would ask the account for minutes.
    `to`: of a move. `only_route`, `only_sink`, `force`: of a replay, as `relay replay` has --route, --sink, --force.
    """

    kind: ActionKind
    source: str = ""
    event: str = ""
    entity: Entity = ""
    phone: Phone = ""
    email: Email = ""
    text: Annotated[str, msgspec.Meta(description="Only with this text in the hook.")] = ""
    sink: str = ""
    route: str = ""
    state: str = ""
    reason: str = ""
    cause: Cause = ""
    since: Time = ""
    until: Time = ""
    to: str = ""
    only_route: str = ""
    only_sink: str = ""
    force: bool = False
    rate: Rate = DEFAULT_RATE
    dry_run: bool = False


_EMPTY = StartBody(kind=ActionKind.CATCH_UP)


class StartedOrPreview(Record):
    """What it would do, where that was asked; else the action, or the one of the same that has not ended."""

    preview: ActionPreview | None
    started: StartedAction | None


async def list_actions(call: Call) -> ListPage[Action]:
    """Answer the newest bulk actions."""
    query = call.query
    only = ActionFilter(state=query.state, kind=query.kind, source=query.source)
    found = await read_actions(call.store, query.limit, read_cursor(query.after), only)
    return ListPage(items=found.items, next=None if found.next is None else format_cursor(found.next))


async def show_action(call: Call) -> ShownAction:
    """Answer how far a bulk action is, and what it has touched."""
    id = call.part("id")
    touched = await read_touched(call.store, call.reader, id, call.query.limit, call.query.after)
    return ShownAction(action=await read_action(call.store, id), touched=touched)


async def start(call: Call) -> StartedOrPreview:
    """Start a bulk action, or say what it would do."""
    if call.body.kind is ActionKind.ERASE:
        raise ApiFailure(BAD_REQUEST, "kind: a person is erased by POST /people/erase")
    if call.body.kind is ActionKind.CATCH_UP:
        return StartedOrPreview(preview=None, started=await _start_catch_up(call))
    request, config = _request(call), call.live.config
    if call.body.dry_run:
        preview = await preview_action(call.reader, request, config, PREVIEW_SECONDS)
        return StartedOrPreview(preview=preview, started=None)
    return StartedOrPreview(preview=None, started=await start_action(call.store, call.reader, request, call.author))


async def _start_catch_up(call: Call) -> StartedAction:
    body = call.body
    since, until = read_time(body.since, "since"), read_time(body.until, "until")
    if body.dry_run:
        advice = "`relay catch-up SOURCE --since … --dry-run` does"
        raise ApiFailure(BAD_REQUEST, f"dry_run: to count what was missed asks the account for minutes; {advice}")
    alone = replace(_EMPTY, by=body.by, why=body.why, source=body.source, since=body.since, until=body.until)
    if not body.source or since is None or replace(body, rate=DEFAULT_RATE) != alone:
        raise ApiFailure(BAD_REQUEST, "a catch-up takes source and since, and may take until; it has no other filter")
    return await start_catch_up(call.store, call.live.config, body.source, since, until, call.author)


def _request(call: Call) -> ActionRequest:
    body, config = call.body, call.live.config
    states = ReceiptState if body.kind is ActionKind.REPLAY else DeliveryState
    filters = EventFilter(
        source=body.source, event=body.event, entity=read_entity(body.entity), sink=body.sink, route=body.route,
        state=_known("state", body.state, [str(state) for state in states]), reason=body.reason, cause=body.cause,
        text=body.text,
        since=read_time(body.since, "since"), until=read_time(body.until, "until"),
        person=read_person(body.phone, body.email, call.settings.secret_key),
    )  # fmt: skip
    if filters == EventFilter():
        raise ApiFailure(BAD_REQUEST, "say to what: source, sink, state, since and so on; nothing means all there is")
    if body.kind is ActionKind.MOVE and not body.to:
        raise ApiFailure(BAD_REQUEST, "to: name the sink that they are moved to")
    return ActionRequest(
        kind=body.kind,
        filter=filters,
        to=_known("to", body.to, config.sinks),
        route=_known("only_route", body.only_route, [route.name for route in config.routes]),
        sink=_known("only_sink", body.only_sink, config.sinks),
        force=body.force,
        rate=body.rate,
    )


def _known(name: str, given: str, known: Collection[str]) -> str:
    if given and given not in known:
        raise ApiFailure(BAD_REQUEST, f"{name}: {given[:60]!r} is unknown, {did_you_mean(given, known)}")
    return given


def _act(act: ActionAct) -> Handler:
    async def answer(call: Call) -> Said:
        id = (await read_action(call.store, call.part("id"))).id
        change = await act_on_action(call.store, id, act, call.author)
        if not change.done:
            raise ApiFailure(BAD_REQUEST, f"{id}: {change.message}")
        return Said(message=f"{id}: {change.message}")

    return answer


def _acts(act: ActionAct, summary: str) -> Operation:
    return Operation(
        method="POST", path=f"/actions/{{id}}/{act}", summary=summary, handler=_act(act), answer=Said, body=ActBody,
        acts=True, finds=True, command=f"actions {act}",
    )  # fmt: skip


OPERATIONS: Operations = (
    Operation(
        method="GET", path="/actions", summary="List bulk actions, the newest first.", handler=list_actions,
        answer=ListPage[Action], query=ActionQuery, command="actions list",
    ),
    Operation(
        method="GET", path="/actions/{id}", summary="Show how far a bulk action is, and what it has touched.",
        handler=show_action, answer=ShownAction, query=TouchedQuery, finds=True, command="actions show",
    ),
    Operation(
        method="POST", path="/actions", summary="Do one thing to all that the filters find, by the workers.",
        handler=start, answer=StartedOrPreview, body=StartBody, acts=True, command="",
    ),
    _acts(ActionAct.PAUSE, "Let a bulk action touch nothing more until it is resumed."),
    _acts(ActionAct.RESUME, "Let a paused bulk action go on where it was."),
    _acts(ActionAct.ABORT, "End a bulk action where it is. What it did stays done."),
)  # fmt: skip
