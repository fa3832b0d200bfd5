"""`relay actions`: what is being done to many things at once, and was."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import typer
from msgspec import to_builtins

from relay.cli import options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.completion import complete_sources
from relay.cli.context.store import with_store, with_store_and_reader
from relay.cli.display.output import print_json, print_lines, print_message, print_table
from relay.operations.actions import (
    Action,
    ActionAct,
    ActionChange,
    ActionFilter,
    ActionKind,
    TouchedPage,
    act_on_action,
    read_action,
    read_actions,
    read_touched,
)
from relay.operations.search import format_cursor
from relay.store.actions import ActionState
from relay.store.reader import Reader
from relay.store.store import Store

app = typer.Typer(
    name="actions",
    help="Show what is being done to many things at once, and pause, resume or abort it.",
    no_args_is_help=True,
)
COLUMNS = ("started", "id", "what", "state", "looked at", "done", "left", "who", "why")
TOUCHED = ("number", "id", "sink", "what came of it", "it is now")
ActionId: TypeAlias = Annotated[str, typer.Argument(metavar="ACTION_ID", show_default=False)]
ActionIds: TypeAlias = Annotated[list[str], typer.Argument(metavar="ACTION_ID…", show_default=False)]


@app.command("list")
def list_actions(
    state: Annotated[ActionState | None, typer.Option(help="Only in this state.")] = None,
    kind: Annotated[ActionKind | None, typer.Option(help="Only of this kind.")] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Only of what came from this source, where it was named.", autocompletion=complete_sources),
    ] = None,
    limit: options.LimitOption = 20,
    after: options.AfterOption = None,
    json: options.JsonOption = False,
) -> None:
    """List bulk actions, the newest first. Those that have ended are kept as long as a dead letter, 1,000 at most."""
    from relay.cli.display.action_list import row

    cursor = None if after is None else options.parse_cursor_option(after)
    only = ActionFilter(state=state, kind=kind, source=source or "")
    page = with_store(lambda store: read_actions(store, limit, cursor, only))
    if json:
        print_json(page.items)
    else:
        print_table(COLUMNS, map(row, page.items))
    if page.next is not None:
        given = {"state": state, "kind": kind, "source": source}
        options_given = "".join(f" --{name} {value}" for name, value in given.items() if value)
        line = f"relay actions list{options_given} --limit {limit} --after {format_cursor(page.next)}"
        print_message(f"go on with:\n{line}", error=True)


@app.command("show")
def show_action(
    id: ActionId,
    limit: options.LimitOption = 20,
    after: Annotated[int, typer.Option(min=0, help="List what was touched behind this number.")] = 0,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow it to its end first; status 1 where it was not done.")
    ] = False,
    json: options.JsonOption = False,
) -> None:
    """Show how far a bulk action is, and what it has touched, in that order, with what came of each."""
    from relay.cli.display.actions import format_action, touched_row
    from relay.cli.display.following import exit_by, follow

    if wait:
        follow(id)

    async def read(store: Store, reader: Reader) -> tuple[Action, TouchedPage]:
        return await read_action(store, id), await read_touched(store, reader, id, limit, after)

    action, touched = with_store_and_reader(read)
    if json:
        print_json({"action": action, "touched": touched})
    else:
        print_lines(format_action(action))
        if touched.items:
            print_table(TOUCHED, [touched_row(action.kind, item) for item in touched.items])
        if touched.next is not None:
            print_message(f"go on with:\nrelay actions show {id} --limit {limit} --after {touched.next}", error=True)
    if wait:
        exit_by(action)


@app.command()
def pause(ids: ActionIds, by: ByOption = None, why: WhyOption = "", json: options.JsonOption = False) -> None:
    """Let a bulk action touch nothing more until it is resumed."""
    _act(ids, ActionAct.PAUSE, by, why, json=json)


@app.command()
def resume(ids: ActionIds, by: ByOption = None, why: WhyOption = "", json: options.JsonOption = False) -> None:
    """Let a paused bulk action go on where it was."""
    _act(ids, ActionAct.RESUME, by, why, json=json)


@app.command()
def abort(ids: ActionIds, by: ByOption = None, why: WhyOption = "", json: options.JsonOption = False) -> None:
    """End a bulk action where it is. What it did stays done."""
    _act(ids, ActionAct.ABORT, by, why, json=json)


def _act(ids: Sequence[str], act: ActionAct, by: str | None, why: str, *, json: bool) -> None:
    async def run(store: Store) -> list[ActionChange]:
        changes = []
        for id in ids:
            changes.append(await act_on_action(store, id, act, author(by, why)))
            if not json:
                print_message(f"{id}: {changes[-1].message}", error=not changes[-1].done)
        return changes

    changes = with_store(run)
    if json:
        print_json([{"id": id, **to_builtins(change)} for id, change in zip(ids, changes, strict=True)])
    if not all(change.done for change in changes):
        raise typer.Exit(1)
