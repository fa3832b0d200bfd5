"""The pages of bulk actions: what runs and ran, how far it is, and beginning one after seeing what it would do."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeVar

from msgspec.structs import replace

from relay.config.config import Config
from relay.errors import ConfigError
from relay.masking import mask_people
from relay.model import DeliveryState, ReceiptState
from relay.operations.action_catch_up import start_catch_up
from relay.operations.action_preview import preview_action
from relay.operations.actions import (
    DEFAULT_RATE,
    MOST_RATE,
    ActionAct,
    ActionFilter,
    ActionKind,
    ActionRequest,
    StartedAction,
    act_on_action,
    read_action,
    read_actions,
    read_touched,
    start_action,
)
from relay.operations.people_keys import PeopleKey
from relay.operations.search import EventFilter, format_cursor, parse_cursor
from relay.operations.search_terms import read_terms
from relay.store.actions import ActionState
from relay.translation.messages import UiText, message
from relay.web.admin.content import Content, Done, NotThere
from relay.web.admin.listing import is_of
from relay.web.admin.page_request import PageRequest

Choice = TypeVar("Choice", bound=StrEnum)
HOME: Final = "/admin/actions"
ROWS: Final = 50
PREVIEW_SECONDS: Final = 1.5
OFFERED: Final = (
    ActionKind.RETRY, ActionKind.RESEND, ActionKind.CANCEL, ActionKind.CONFIRM, ActionKind.RENDER, ActionKind.MOVE,
    ActionKind.REPLAY,
)  # fmt: skip
_FIELDS: Final = ("source", "event", "route", "sink", "state", "reason", "cause", "since", "until")
ACTION_FILTERS: Final = (*_FIELDS, "q")
_UNASKED: Final = ("event", "route", "reason", "cause")  # that the form has no field for: they are kept as they came
_GIVEN: Final = (*_FIELDS, "kind", "rate", "q", "to")


async def show(asked: PageRequest) -> Content:
    """List actions, the newest first."""
    after = asked.text("after")
    only = ActionFilter(
        state=_one_of(ActionState, asked.text("state")),
        kind=_one_of(ActionKind, asked.text("kind")),
        source=asked.text("source"),
    )
    try:
        page = await read_actions(asked.services.store, ROWS, parse_cursor(after) if after else None, only)
    except ValueError as error:
        raise NotThere(str(error)) from error
    values = {
        "page": page,
        "more": asked.link(after=format_cursor(page.next)) if page.next else "",
        "only": only,
        "narrowed": only != ActionFilter(),
        "states": list(ActionState),
        "kinds": list(ActionKind),
    }
    return Content(template="actions.html", title=message("Actions"), values=values)


def _one_of(choices: type[Choice], text: str) -> Choice | None:
    return next((one for one in choices if one == text), None)


async def show_one(asked: PageRequest) -> Content:
    """Show an action: what it was asked to do, how far it is, what it touched."""
    services, id, after = asked.services, asked.part("id"), asked.text("after")
    try:
        action = await read_action(services.store, id)
    except ConfigError as error:
        raise NotThere(str(error)) from error
    touched = await read_touched(services.store, services.reader, id, ROWS, int(after) if after.isdecimal() else 0)
    values = {
        "action": action,
        "touched": touched,
        "share": _share(action.looked, action.total, ended=action.ended_at is not None),
        "more": asked.link(after=str(touched.next)) if touched.next is not None else "",
        "filters": _described(action.request),
    }
    return Content(template="action.html", title=message("Action {id}", id=id), values=values)


def _share(looked: int, total: int, *, ended: bool) -> int:
    return 100 if ended else min(math.floor(100 * looked / total), 99) if total else 0


def _described(request: ActionRequest) -> list[str]:
    given = {name: getattr(request.filter, name) for name in ("source", "event", "route", "sink", "state", "reason")}
    named = [f"{name}:{value}" for name, value in given.items() if value]
    named += [":".join(request.filter.entity)] if request.filter.entity else []
    named += [f"“{mask_people(request.filter.text)}”"] if request.filter.text else []
    named += [request.person.described] if request.person else []
    return [*named, *([f"→ {request.to}"] if request.to else [])]


async def show_new(asked: PageRequest) -> Content:
    """Say what an action would do, and change nothing."""
    given, config = {name: asked.text(name) for name in _GIVEN}, asked.services.live.config
    request, problems = _request(asked, given, await _now(asked))
    preview = None
    if request is not None and not problems and request.kind is not ActionKind.CATCH_UP:
        preview = await preview_action(asked.services.reader, request, asked.services.live.config, PREVIEW_SECONDS)
    values = {
        "preview": preview,
        "request": request,
        "problems": problems,
        "fields": {name: value for name, value in given.items() if value and name != "rate"},
        "unasked": _UNASKED,
        "targets": await _targets(asked, given["sink"]),
        "kinds": _offered(config),
        "sources": config.sources_with_api,
        "states": list(ReceiptState if given["kind"] == ActionKind.REPLAY else DeliveryState),
        "most": MOST_RATE,
        "filters": _described(request) if request else [],
    }
    return Content(template="new_action.html", title=message("New action"), values=values)


def _offered(config: Config) -> Sequence[ActionKind]:
    return (*OFFERED, ActionKind.CATCH_UP) if config.sources_with_api else OFFERED


async def _now(asked: PageRequest) -> int:
    return await asked.services.reader.now()


async def _targets(asked: PageRequest, sink: str) -> list[str]:
    """Return the sinks that what is for a sink may be moved to: those of its type."""
    config, types = asked.services.live.config, await asked.services.reader.sink_types()
    return [name for name, settings in config.sinks.items() if types.get(sink, settings.type) == settings.type]


def _request(asked: PageRequest, given: Mapping[str, str], now: int) -> tuple[ActionRequest | None, list[UiText | str]]:
    """Read what is to be done to what; with it what is wrong. None: nothing is asked for yet."""
    config, secret = asked.services.live.config, asked.services.settings.secret_key
    if given["kind"] not in _offered(config):
        return None, []
    fields = [f'{name}:"{given[name]}"' for name in _FIELDS if given[name]]
    terms = read_terms(" ".join([*fields, given["q"]]), now, 1, PeopleKey(secret) if secret else None)
    problems: list[UiText | str] = list(terms.problems)
    if terms.id:
        problems.append(message("{typed}: an action takes filters such as sink:sms or lead:123, no id", typed=terms.id))
    states = ReceiptState if given["kind"] == ActionKind.REPLAY else DeliveryState
    if not is_of(terms.filter.state, states):
        known = ", ".join(states)
        problems.append(
            message("state: nothing of this is ever {state}; there is {known}", state=terms.filter.state, known=known)
        )
    if terms.filter == EventFilter(limit=1):
        problems.append(message("say to what: an action needs a filter, at least sink: or since:"))
    if given["kind"] == ActionKind.MOVE and given["to"] not in config.sinks:
        problems.append(message("say to which sink of the configuration they are moved"))
    if given["kind"] == ActionKind.CATCH_UP and not _can_be_caught_up(terms.filter):
        problems.append(message("Catching up takes a source and since when, and may take until when; nothing else."))
    rate = given["rate"]
    if rate and not (rate.isdecimal() and 0 < int(rate) <= MOST_RATE):
        problems.append(message("rate: from 1 to {most} a second", most=MOST_RATE))
        rate = ""
    filters = terms.filter
    request = ActionRequest(kind=ActionKind(given["kind"]), filter=filters, rate=int(rate or DEFAULT_RATE))
    if request.kind is ActionKind.MOVE:
        request = replace(request, to=given["to"])
    if request.kind is ActionKind.REPLAY:  # of a replay route and sink say which deliveries are made
        request = replace(request, route=filters.route, sink=filters.sink)
    return request, problems


def _can_be_caught_up(filters: EventFilter) -> bool:
    only = EventFilter(source=filters.source, since=filters.since, until=filters.until, limit=filters.limit)
    return bool(filters.source) and filters.since is not None and filters == only


async def start(asked: PageRequest) -> Done:
    """Begin an action; one of the same that has not ended is shown in place of a second one."""
    given = {name: asked.field(name) for name in _GIVEN}
    request, problems = _request(asked, given, await _now(asked))
    if request is None or problems:
        return Done(lines=problems or [message("There is no such act.")], to=HOME, ok=False)
    if not asked.field("why"):
        return Done(lines=[message("Say why: it stands beside what the action did.")], to=asked.field("back"), ok=False)
    try:
        started = await _start(asked, request)
    except ConfigError as error:
        return Done(lines=[str(error)], to=asked.field("back"), ok=False)
    return Done(lines=[started.message], to=f"{HOME}/{started.id}" if started.id else HOME, ok=started.started)


async def _start(asked: PageRequest, request: ActionRequest) -> StartedAction:
    services, filters = asked.services, request.filter
    if request.kind is ActionKind.CATCH_UP:
        assert filters.since is not None
        config = services.live.config
        return await start_catch_up(services.store, config, filters.source, filters.since, filters.until, asked.author)
    return await start_action(services.store, services.reader, request, asked.author)


async def change(asked: PageRequest) -> Done:
    """Pause an action, let it go on, or end it where it is."""
    id, act = asked.part("id"), asked.field("act")
    if act not in list(ActionAct):
        return Done(lines=[message("There is no such act.")], to=f"{HOME}/{id}", ok=False)
    changed = await act_on_action(asked.services.store, id, ActionAct(act), asked.author)
    lines: list[UiText | str] = [changed.message]
    return Done(lines=lines, to=f"{HOME}/{id}", ok=changed.done)
