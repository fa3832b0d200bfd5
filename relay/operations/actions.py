"""Bulk actions: one thing done to all that a filter finds, by the workers, with a name, progress and results."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from relay.errors import ConfigError
from relay.model import DeliveryState, Record
from relay.operations.search import MOST_LISTED, EventFilter, count_rows
from relay.store.actions import ActionState, NewAction, StoredAction
from relay.store.acts import Author
from relay.store.reader import Reader
from relay.store.store import Store
from relay.store.stored import StoredDelivery
from relay.store.wire.lists import Cursor

DEFAULT_RATE: Final = 200  # items a second
MOST_RATE: Final = 5000


class ActionKind(StrEnum):
    """What a bulk action does to each item."""

    RETRY = "retry"
    CANCEL = "cancel"
    CONFIRM = "confirm"
    RESEND = "resend"
    RENDER = "render"
    MOVE = "move"
    REPLAY = "replay"
    CATCH_UP = "catch-up"
    ERASE = "erase"


_KINDS_BY_EVENT: Final = (ActionKind.REPLAY, ActionKind.CATCH_UP, ActionKind.ERASE)  # an item is not one row
SENDING_KINDS: Final = (ActionKind.RETRY, ActionKind.RESEND, ActionKind.RENDER, ActionKind.REPLAY)
"""Those after which something leaves for a sink."""


class ActionAct(StrEnum):
    """What a person may do to a bulk action."""

    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"


class ErasedPerson(Record):
    """Who is erased: how people are told of them, masked, and how the store knows them (`Person`), by which key."""

    described: str
    hashes: Sequence[str]
    entities: Sequence[tuple[str, str, str]]
    key: str


class ActionRequest(Record):
    """What is to be done, to what."""

    kind: ActionKind
    filter: EventFilter
    to: str = ""  # of a move: the sink
    route: str = ""  # of a replay: only deliveries of this route are made
    sink: str = ""  # of a replay: only deliveries to this sink are made
    force: bool = False  # of a replay: also what was delivered or cancelled, under a new key
    rate: int = DEFAULT_RATE  # items a second at most
    person: ErasedPerson | None = None  # of an erasure


class Action(Record):
    """A bulk action, and how far it is. Times are epoch milliseconds."""

    id: str
    kind: ActionKind
    request: ActionRequest
    by: str
    why: str
    started_at: int
    ended_at: int | None
    state: ActionState
    total: int  # rows to look at: receipts, events or deliveries, as many as there were when it was started; 0: unknown
    looked: int  # rows looked at, also those that a killed worker did something to; of a catch-up: changes
    touched: int  # items, each in one of the results
    results: Mapping[str, int]  # "done" and so on: of how many items it is that
    rate: int
    waits: str  # why it does nothing at the moment; empty where it goes on
    problem: str  # why it failed


class ActionPage(Record):
    """Bulk actions, the newest first, and where to go on; None: there is no more."""

    items: Sequence[Action]
    next: Cursor | None


class TouchedItem(Record):
    """What a bulk action has touched, what came of it, and the delivery as it is now; None: there is none."""

    number: int
    id: str
    result: str
    delivery: StoredDelivery | None


class TouchedPage(Record):
    """What a bulk action has touched, in that order, and the number to go on behind; None: there is no more yet."""

    items: Sequence[TouchedItem]
    next: int | None


class StartedAction(Record):
    """Whether a bulk action was started, the id of the one that runs, and a line about it."""

    id: str
    started: bool
    message: str


class ActionChange(Record):
    """Whether an act on a bulk action was done, and a line about it."""

    done: bool
    message: str


async def start_action(store: Store, reader: Reader, request: ActionRequest, author: Author) -> StartedAction:
    """Have the workers do it to all that the filter finds now. Raises StoreUnavailable.

    None is started where nothing can be found, or where one of this kind and filter, whatever its span, has not ended.
    """
    request = bound_request(request, await reader.now())
    total = await count_rows(reader, request.filter, events=request.kind is ActionKind.REPLAY)
    if not total:
        return StartedAction(id="", started=False, message=f"nothing to {request.kind}: nothing is found by that")
    return await start_bound(store, request, total, author)


async def start_bound(
    store: Store, request: ActionRequest, total: int, author: Author, secret: str = ""
) -> StartedAction:
    """Start what is bounded already, of so many rows; 0: unknown. `secret` is kept until it ends.

    Raises StoreUnavailable.
    """
    action = NewAction(
        id=secrets.token_hex(6),
        kind=request.kind,
        request=_ENCODER.encode(request),
        alike=_digest(request),
        total=total,
        rate=request.rate,
        secret=secret,
    )
    running = await store.actions.start(action, author)
    if running == action.id:
        return StartedAction(id=running, started=True, message=f"{running}: {request.kind} begins")
    return has_not_ended(request.kind, running)


def has_not_ended(kind: ActionKind, running: str) -> StartedAction:
    """Return that none was started, because another of the same runs."""
    return StartedAction(
        id=running,
        started=False,
        message=f"a {kind} of the same has not ended, action {running}: wait for it, or abort it; "
        f"`relay actions show {running}` says how far it is",
    )


def bound_request(request: ActionRequest, now: int) -> ActionRequest:
    """Return the request as it is kept: of what arrived until now, and in the only state that may be acted on."""
    states = {ActionKind.RETRY: DeliveryState.PENDING, ActionKind.CONFIRM: DeliveryState.HELD}
    filters = replace(
        request.filter,
        state=request.filter.state or states.get(request.kind, ""),
        until=min(request.filter.until or now, now),
        limit=MOST_LISTED,
        after=None,
    )
    return replace(request, filter=filters, rate=min(max(request.rate, 1), MOST_RATE))


def _digest(request: ActionRequest) -> str:
    """Return what requests have in common that differ only in the span and the rate: one is given as "2h (ago)"."""
    alike = replace(request, filter=replace(request.filter, since=None, until=None), rate=0)
    return hashlib.sha256(_ENCODER.encode(alike)).hexdigest()[:16]


class ActionFilter(Record):
    """Which actions. None and empty match any; `source`: that its own filter names."""

    state: ActionState | None = None
    kind: ActionKind | None = None
    source: str = ""

    def matches(self, action: StoredAction) -> bool:
        """Return whether this is one of them."""
        if self.state not in (None, action.state) or self.kind not in (None, action.kind):
            return False
        return self.source in ("", decode_request(action).filter.source)


async def read_actions(
    store: Store, limit: int = 20, after: Cursor | None = None, only: ActionFilter | None = None
) -> ActionPage:
    """Read the newest actions. Raises StoreUnavailable."""
    limit = min(limit, MOST_LISTED)
    found: list[StoredAction] = []
    before = None if after is None else (after.score, after.member)
    while len(found) <= limit:
        page = await store.actions.newest(MOST_LISTED, before)
        if not page:
            break
        found += page if only is None else filter(only.matches, page)
        before = page[-1].at, page[-1].id
    more = len(found) > limit
    items = found[:limit]
    return ActionPage(
        items=[stored_action(one) for one in items], next=Cursor(items[-1].at, items[-1].id) if more else None
    )


async def read_action(store: Store, id: str) -> Action:
    """Read one. Raises ConfigError where there is none of that id, StoreUnavailable."""
    found = await store.actions.read([id])
    if not found:
        raise ConfigError(f"{id}: {_GONE}")
    return stored_action(found[0])


async def read_touched(store: Store, reader: Reader, id: str, limit: int = 20, after: int = 0) -> TouchedPage:
    """Read what an action has touched, behind a number. Raises StoreUnavailable."""
    limit = min(limit, MOST_LISTED)
    found = await store.actions.items(id, limit, after)
    deliveries = {one.id: one for one in await reader.deliveries([item.id for item in found])}
    items = [
        TouchedItem(number=item.number, id=item.id, result=item.result, delivery=deliveries.get(item.id))
        for item in found
    ]
    return TouchedPage(items=items, next=found[-1].number if len(found) == limit else None)


async def act_on_action(store: Store, id: str, act: ActionAct, author: Author) -> ActionChange:
    """Pause an action, let it go on, or end it where it is. Raises StoreUnavailable.

    Who gives an erasure up says why: what is stored of a person stays.
    """
    if act is ActionAct.ABORT and not author.why:
        found = await store.actions.read([id])
        if found and found[0].kind == ActionKind.ERASE:
            return ActionChange(done=False, message=_SAY_WHY)
    done, before = await store.actions.change(id, act, author)
    if done:
        return ActionChange(done=True, message=_DONE[act])
    if not before:
        return ActionChange(done=False, message=_GONE)
    message = f"it is {before}: {_ALLOWED[act]}"
    if act is ActionAct.RESUME and before != ActionState.RUNNING:
        message += "; start a new one: what this one did is left alone"
    return ActionChange(done=False, message=message)


def stored_action(stored: StoredAction) -> Action:
    """Return an action as people and programs read it."""
    touched = sum(stored.results.values())
    return Action(
        id=stored.id,
        kind=ActionKind(stored.kind),
        request=decode_request(stored),
        by=stored.by,
        why=stored.why,
        started_at=stored.at,
        ended_at=stored.ended_at,
        state=stored.state,
        total=stored.total,
        looked=stored.looked if stored.kind in _KINDS_BY_EVENT else max(stored.looked, touched),
        touched=touched,
        results=stored.results,
        rate=stored.rate,
        waits=stored.waits,
        problem=stored.problem,
    )


def decode_request(stored: StoredAction) -> ActionRequest:
    """Return what was asked for."""
    return _DECODER.decode(stored.request)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(ActionRequest)
_GONE: Final = "there is no such action: `relay actions list` has them; retention may have removed it"
_SAY_WHY: Final = "say why: an erasure that is given up leaves what is stored of a person, and the audit has the reason"
_DONE: Final = {
    ActionAct.PAUSE: "paused; what it has begun with goes on",
    ActionAct.RESUME: "goes on",
    ActionAct.ABORT: "aborted; what it did stays done",
}
_ALLOWED: Final = {
    ActionAct.PAUSE: "only a running action can be paused",
    ActionAct.RESUME: "only a paused action can be resumed",
    ActionAct.ABORT: "only a running or paused action can be aborted",
}
