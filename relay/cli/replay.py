"""`relay replay`: route stored hooks again, by today's configuration."""

import sys
from collections.abc import AsyncIterator
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.context.configuration import load_config
from relay.cli.context.store import with_store_and_reader
from relay.cli.display.output import print_json, print_lines, print_message
from relay.cli.display.progress import ProgressBar
from relay.cli.display.replay import format_done, format_planned
from relay.operations.replay import Replay, ReplayLimits, find_receipts
from relay.operations.replaying import NOTHING, ReplayCount, count_planned, write_replay
from relay.operations.search import EventFilter
from relay.store.acts import Author
from relay.store.reader import Reader
from relay.store.store import Store


def replay(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EVENT_ID…]", help="Events or whole receipts; default: what the options find."),
    ] = None,
    source: options.SourceOption = None,
    event: options.EventOption = None,
    entity: options.EntityOption = None,
    state: options.ReceiptStateOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    route: Annotated[str | None, typer.Option(help="Make only deliveries of this route.")] = None,
    sink: Annotated[str | None, typer.Option(help="Make only deliveries to this sink.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Deliver once more what was delivered or cancelled, under a new key.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come of it, and write nothing.")] = False,
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Route stored hooks again, by today's configuration: what succeeded is left alone. Safe to repeat."""
    filters = options.event_filter(
        source=source, event=event, entity=entity, sink=None, state=state, since=since, until=until, limit=1,
        after=None,
    )  # fmt: skip
    if not ids and filters == EventFilter(limit=1) and not (route or sink):
        raise typer.BadParameter("say what to replay: an event's id, or --since, --state, --route and so on")
    limits = ReplayLimits(route=route or "", sink=sink or "", force=force)
    config = load_config()
    options.check_name("--route", route, [one.name for one in config.routes])
    options.check_name("--sink", sink, config.sinks)

    async def run(store: Store, reader: Reader) -> tuple[ReplayCount, ReplayCount | None]:
        command = _Command(store, Replay(reader, config, limits), filters, ids or [], author(by, why))
        planned = await command.count()
        if not json:
            print_lines(format_planned(planned))
        if dry_run or not planned.writes or not _confirmed():
            return planned, None
        return planned, await command.write(planned.receipts, force=force)

    planned, done = with_store_and_reader(run)
    if json:
        print_json({"planned": planned, "done": done})
    elif done is not None:
        print_lines(format_done(done))
    elif dry_run:
        print_message("nothing was written: --dry-run")


class _Command:
    """Counts what a replay would do, then does it; both read what there is page by page."""

    def __init__(self, store: Store, replay: Replay, filters: EventFilter, ids: list[str], by: Author) -> None:
        self._store, self._replay, self._filters, self._ids, self._by = store, replay, filters, ids, by

    async def _pages(self) -> AsyncIterator[list[str]]:
        if self._ids:
            yield self._ids
            return
        async for page in find_receipts(self._replay.reader, self._filters):
            yield page

    async def count(self) -> ReplayCount:
        total = NOTHING
        async for page in self._pages():
            total = total.plus(count_planned(await self._replay.plan(page)))
        return total

    async def write(self, receipts: int, *, force: bool) -> ReplayCount:
        total = NOTHING
        with ProgressBar("replaying", receipts) as progress:
            async for page in self._pages():
                for planned in await self._replay.plan(page):
                    done = await write_replay(self._store, self._replay.config, planned, self._by, force=force)
                    total = total.plus(done)
                    progress.advance()
        return total


def _confirmed() -> bool:
    """Ask a person; a script has seen nothing, and is not asked."""
    return not (sys.stdin.isatty() and sys.stdout.isatty()) or typer.confirm("Do it?")
