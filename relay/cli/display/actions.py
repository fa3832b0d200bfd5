"""Format bulk actions: what one would do, how far it is, and what came of what it touched. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from relay.cli.display.replay import format_planned
from relay.operations.action_erasure import ASKED, NOT_ASKED, UNREAD
from relay.operations.action_preview import ActionPreview
from relay.operations.action_results import DONE, NOT_THERE, RECOVERED
from relay.operations.actions import SENDING_KINDS, Action, ActionKind, ActionRequest, TouchedItem
from relay.operations.replaying import PROBLEMS, ReplayCount
from relay.store.actions import ActionState
from relay.timefmt import format_time

_DONE: Final[Mapping[ActionKind, str]] = {
    ActionKind.RETRY: "made due",
    ActionKind.CANCEL: "cancelled",
    ActionKind.CONFIRM: "confirmed",
    ActionKind.RESEND: "resent",
    ActionKind.RENDER: "rendered anew and resent",
    ActionKind.MOVE: "moved",
}
_RESULTS: Final[Mapping[str, str]] = {
    "new": "new",
    "again": "rendered anew and resent",
    "asked": "in flight: not sent again, whatever comes of that",
    "asked already": "in flight, and cancelled already",
    "put-off": "left alone: put off, so it is not made yet",
    "leased": "left alone: in flight",
    "due": "left alone: due already",
    "ordered": "left alone: waiting for another of their `order` key",
    "empty": "left alone: no content to send, `resend --render` makes one",
    "gone": "gone: retention or an erasure has removed it",
    "waits": "left alone: not routed yet",
    "moved": "left alone: its source has moved to another shard, where nothing is known of it",
    "taken": "not made: another event has used the `once` key",
    "unsendable": "left alone: today's routes cannot render it",
    "not made today": "left alone: today's routes make no such delivery",
    "no delivery": "routed, without a delivery",
    "configured": "left alone: its sink is in the configuration",
    "other type": "left alone: its content is for a sink of another type",
    "another kind": "left alone: no delivery but a hook or an event",
    "exists": "left alone: its event has a delivery to that sink",
    "erased": "erased",
    NOT_ASKED: "sent before, and its sink cannot be asked to forget them: that is to be done there",
    UNREAD: "not looked into: compressed, and it killed its workers; whether it speaks of them is to be seen by hand",
    RECOVERED: "recovered: routed like any other hook",
    NOT_THERE: "cannot be recovered: its lead, contact or company does not exist any more",
}


def format_preview(request: ActionRequest, preview: ActionPreview) -> Iterator[str]:
    """Format what an action would do in lines."""
    yield from _format_replayed(preview) if request.kind is ActionKind.REPLAY else _format_acted(request.kind, preview)
    if not preview.complete:
        yield f"  so far: looked at {preview.looked:,} of {preview.total:,} rows, the rest is likewise"
    if preview.samples:
        yield "for example"
    for one in preview.samples:
        yield f"  {one.id}  {one.sink}  {one.about}"


def _format_replayed(preview: ActionPreview) -> Iterator[str]:
    problems = {name: n for name, n in preview.results.items() if name in PROBLEMS}
    deliveries = {name: n for name, n in preview.results.items() if name not in PROBLEMS}
    yield from format_planned(ReplayCount(receipts=preview.receipts, problems=problems, deliveries=deliveries))
    if preview.text_messages:
        yield f"  {preview.text_messages:>6} of them text messages"


def _format_acted(kind: ActionKind, preview: ActionPreview) -> Iterator[str]:
    found = sum(preview.results.values())
    yield f"{found} {'delivery' if found == 1 else 'deliveries'} found"
    for result, n in _in_order(preview.results):
        text = f"would be {_DONE[kind]}" if result == DONE else describe_result(kind, result)
        if result == DONE and kind in (ActionKind.RETRY, ActionKind.RESEND, ActionKind.RENDER):
            text += f", {preview.text_messages} of them text messages"
            text += f"; {preview.held} may have arrived before" if preview.held else ""
        yield f"  {n:>6} {text}"
    if preview.untried:
        yield f"  {preview.untried:>6} of them were not tried with today's routes, which may not render them all"


def _in_order(results: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return what was done first, then the rest, the most frequent first."""
    return sorted(results.items(), key=lambda one: (one[0] not in (DONE, "new", "again"), -one[1], one[0]))


def describe_result(kind: ActionKind, result: str) -> str:
    """Return in words what came of an item; a state is why it was left alone."""
    if result == DONE:
        return _DONE[kind]
    if kind is ActionKind.ERASE and result == ASKED:
        return "asks a sink to forget them"
    return _RESULTS.get(result, f"left alone: {result}")


def format_progress(action: Action) -> str:
    """Format how far an action is, in a line."""
    done = ", ".join(f"{n:,} {describe_result(action.kind, result)}" for result, n in _in_order(action.results))
    line = f"looked at {_share(action)}" + (f": {done}" if done else "")
    if action.waits:
        line += f"; waits: {action.waits}" + (", what is fresh goes first" if action.kind in SENDING_KINDS else "")
    return f"{line}; paused" if action.state is ActionState.PAUSED else line


def _share(action: Action) -> str:
    if action.kind is ActionKind.CATCH_UP:
        return f"{action.looked:,} change(s)"  # the account does not say how many there are
    return f"{action.looked:,} of {action.total:,}"


def format_results(action: Action) -> Iterator[str]:
    """Format what came of an action's items in lines."""
    if action.kind is ActionKind.CATCH_UP and action.ended_at is not None:
        known = action.looked - action.touched
        yield f"  {known:>6} change(s) were reported by hooks, or recovered before"
    elif not action.results:
        yield "  nothing was touched"
    for result, n in _in_order(action.results):
        yield f"  {n:>6} {describe_result(action.kind, result)}"
    if action.problem:
        yield f"  {action.problem}"


def format_action(action: Action) -> Iterator[str]:
    """Format an action in lines."""
    yield f"action {action.id}: {action.kind}{_describe_request(action.request)}"
    yield f"  {format_time(action.started_at)}  started by {action.by}" + (f": {action.why}" if action.why else "")
    if action.ended_at is not None:
        yield f"  {format_time(action.ended_at)}  {action.state}"
    else:
        yield f"  {action.state}, {action.rate} a second at most"
        yield f"  {format_progress(action)}"
    yield from format_results(action)


def _describe_request(request: ActionRequest) -> str:
    filters = request.filter
    entity = "" if filters.entity is None else ":".join(filters.entity)
    since = "" if filters.since is None else format_time(filters.since)
    parts = {
        "person": request.person.described if request.person else "",
        "source": filters.source, "event": filters.event, "entity": entity, "sink": filters.sink or request.sink,
        "route": filters.route or request.route, "state": filters.state, "reason": filters.reason,
        "cause": filters.cause, "text": filters.text, "since": since,
        "until": format_time(filters.until), "to": request.to, "force": "yes" if request.force else "",
    }  # fmt: skip
    return "".join(f", {name} {value}" for name, value in parts.items() if value)


def touched_row(kind: ActionKind, item: TouchedItem) -> tuple[object, ...]:
    """Return what an action has touched as a row of a list."""
    now = item.delivery.state if item.delivery else ""
    return item.number, item.id, item.delivery.sink if item.delivery else "", describe_result(kind, item.result), now
