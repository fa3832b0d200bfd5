"""`relay catch-up`: recover what amoCRM never delivered, from the account's history, by a bulk action."""

from collections.abc import Iterator
from typing import Annotated

import typer

from relay.accounts.catch_up import CatchUp, Progress
from relay.cli import bulk, options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.context.configuration import choose_source, load_config
from relay.cli.context.environment import load_settings
from relay.cli.context.store import with_store_and_reader
from relay.cli.display.output import print_json, print_lines
from relay.config.config import Config
from relay.operations.actions import StartedAction
from relay.operations.outward_calls import open_account
from relay.store.acts import Author
from relay.store.reader import Reader
from relay.store.store import Store
from relay.timefmt import format_time


def catch_up(
    source: options.SourceArgument,
    since: Annotated[str, typer.Option(help="From this time on: 2h (ago), or 2026-11-23T14:30.")],
    until: Annotated[str | None, typer.Option(help="Up to this time; default: two minutes ago.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what was missed, and write nothing.")] = False,
    wait: bulk.WaitOption = False,
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Recover changes that are in the account's history and that no hook reported. The workers do it; safe to repeat.

    amoCRM may still repeat a recent hook that was recovered: a `once` key in its route prevents a second delivery.
    """
    config = load_config()
    account = choose_source(config.sources, source)
    bounds = options.parse_time(since, "--since"), None if until is None else options.parse_time(until, "--until")

    if not dry_run:
        _start(config, account.name, bounds, author(by, why), wait=wait, json=json)
        return

    async def count(store: Store, reader: Reader) -> Progress:
        own = store.of_source(account.name)
        async with open_account(load_settings(), reader, account) as client:
            return await _count(CatchUp(account, config, client, own, reader=reader), bounds, own.clock.ms())

    progress = with_store_and_reader(count)
    if json:
        print_json(progress, reveal=True)
    else:
        print_lines(_format_progress(progress, source), reveal=True)


def _start(config: Config, source: str, bounds: tuple[int, int | None], by: Author, *, wait: bool, json: bool) -> None:
    from relay.operations.action_catch_up import start_catch_up

    async def run(store: Store, reader: Reader) -> tuple[StartedAction, int]:
        return await start_catch_up(store, config, source, *bounds, by), await reader.workers()

    started, workers = with_store_and_reader(run)
    how = bulk.BulkOptions(dry_run=False, sure=True, ask=False, wait=wait, json=json)
    bulk.show_started(None, started, how, workers)


async def _count(recovery: CatchUp, bounds: tuple[int, int | None], now: int) -> Progress:
    progress = await recovery.start_or_resume(*bounds, now)
    while not progress.done:
        progress = await recovery.process_page(progress, write=False)
    return progress


def _format_progress(progress: Progress, source: str) -> Iterator[str]:
    since, until = format_time(progress.since), format_time(progress.until)
    yield f"{source}, from {since} to {until}: {progress.received} change(s) were reported by hooks"
    yield f"{progress.recovered} would be recovered"
    if progress.gone:
        yield f"{progress.gone} cannot be recovered: their leads, contacts or companies do not exist any more"
