"""Start a bulk action from a command: say what would come of it, ask, start it, and follow it where somebody looks."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from relay.cli.context.store import with_store_and_reader
from relay.cli.display.going_on import print_hints
from relay.cli.display.output import print_json, print_lines, print_message
from relay.model import Record
from relay.operations.actions import MOST_RATE, ActionKind, ActionRequest, StartedAction, start_action
from relay.operations.search import EventFilter
from relay.store.acts import Act, Author

if TYPE_CHECKING:  # lists of deliveries import this module, and none of what decides
    from relay.config.config import Config
    from relay.operations.action_preview import ActionPreview
    from relay.operations.erasing import ErasurePreview
    from relay.store.reader import Reader
    from relay.store.store import Store

AllOption: TypeAlias = Annotated[bool, typer.Option("--all", help="All that the other options find, by the workers.")]
DryRunOption: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Say what would come of it, do nothing.")]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
WaitOption: TypeAlias = Annotated[
    bool, typer.Option("--wait", help="Follow it to its end, as a terminal does; status 1 where it was not done.")
]
RateOption: TypeAlias = Annotated[int, typer.Option(min=1, max=MOST_RATE, help="So many a second at most.")]


class BulkOptions(Record):
    """How a command wants it done. `sure`: it has said that it means all of it."""

    dry_run: bool
    sure: bool
    ask: bool
    wait: bool
    json: bool


def check_choice(ids: Sequence[str] | None, *, every: bool, narrowed: bool) -> None:
    """Raise BadParameter unless a command names ids, or says `--all`, and not both."""
    if ids and (every or narrowed):
        raise typer.BadParameter("give ids, or --all and what to choose by; not both")
    if not ids and not every:
        raise typer.BadParameter("say which: their ids, or --all with --sink, --reason, --since and so on")


def run(act: Act, filters: EventFilter, by: Author, how: BulkOptions, *, rate: int, to: str) -> None:
    """Do an act to all deliveries that a filter finds, as the command wants it done."""
    request = ActionRequest(kind=ActionKind(act), filter=filters, rate=rate, to=to)
    config = None
    if act in (Act.MOVE, Act.RENDER):
        from relay.cli.context.configuration import load_config

        config = load_config()
    if act is Act.MOVE and config is not None:
        from relay.cli.options import check_name

        check_name("--to", to, config.sinks)
    run_request(request, by, how, config)


def run_request(request: ActionRequest, by: Author, how: BulkOptions, config: "Config | None" = None) -> None:
    """Say what a bulk action would do; start it, unless that is nothing, or somebody says no."""
    if not how.sure and not is_terminal() and not how.dry_run:
        raise typer.BadParameter("that is everything there is: say --yes where it is meant, or give --sink, --since…")
    preview, started, workers = with_store_and_reader(lambda s, r: _prepare(s, r, request, by, how, config))
    if started is None:
        if how.json:
            print_json({"preview": preview, "action": None})
        elif how.dry_run:
            print_message("nothing was written: --dry-run")
        return
    show_started(preview, started, how, workers)


async def _prepare(
    store: "Store", reader: "Reader", request: ActionRequest, by: Author, how: BulkOptions, config: "Config | None"
) -> "tuple[ActionPreview, StartedAction | None, int]":
    from relay.cli.display.actions import format_preview
    from relay.operations.action_preview import preview_action
    from relay.operations.unknown_filters import unknown_filters

    preview = await preview_action(reader, request, config)
    if not how.json:
        print_lines(format_preview(request, preview))
    if not preview.results:
        print_hints(await unknown_filters(reader, request.filter))
    if how.dry_run or not preview.writes or (how.ask and not confirmed()):
        return preview, None, 0
    return preview, await start_action(store, reader, request, by), await reader.workers()


def show_started(
    preview: "ActionPreview | ErasurePreview | None", started: StartedAction, how: BulkOptions, workers: int
) -> None:
    """Print what was started, and follow it where that is wanted. Exits with 1 where it was not done."""
    if not workers and not how.json:
        print_message("no worker runs: it begins when one does", error=True)
    looked_at = is_terminal() and workers > 0
    if not how.json:
        print_message(started.message, error=not started.started)
    if not started.started or not (how.wait or (looked_at and not how.json)):
        if how.json:
            print_json({"preview": preview, "action": started})
        elif started.started:
            print_message(f"the workers do it: relay actions show {started.id}")
        raise typer.Exit(0 if started.started else 1)
    from relay.cli.display.following import exit_by, follow, print_end

    action = follow(started.id)
    if how.json:
        print_json({"preview": preview, "action": action})
    else:
        print_end(action)
    exit_by(action)


def is_terminal() -> bool:
    """Return whether a person looks, and can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def confirmed() -> bool:
    """Ask a person; a script has seen nothing, and is not asked."""
    return not is_terminal() or typer.confirm("Do it?")
