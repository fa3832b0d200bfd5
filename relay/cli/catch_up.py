"""`relay catch-up`: recover what amoCRM never delivered, from the account's history."""

from collections.abc import Iterator
from typing import Annotated

import typer

from relay.accounts.catch_up import CatchUp, Progress
from relay.accounts.client import AccountClient
from relay.cli import options
from relay.cli.context.account import with_account
from relay.cli.context.configuration import choose_source, load_config
from relay.cli.display.output import print_json, print_lines
from relay.store.keys import INBOX
from relay.store.store import Store
from relay.timefmt import format_time


def catch_up(
    source: options.SourceArgument,
    since: Annotated[str, typer.Option(help="From this time on: 2h (ago), or 2026-11-23T14:30.")],
    until: Annotated[str | None, typer.Option(help="Up to this time; default: two minutes ago.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what was missed, and write nothing.")] = False,
    json: options.JsonOption = False,
) -> None:
    """Recover changes that are in the account's history and that no hook reported. Safe to interrupt and to repeat.

    amoCRM may still repeat a recent hook that was recovered: a `once` key in its route prevents a second delivery.
    """
    config = load_config()
    account = choose_source(config.sources, source)
    bounds = options.parse_time(since, "--since"), None if until is None else options.parse_time(until, "--until")

    async def run(client: AccountClient, store: Store) -> Progress:
        return await _catch_up(CatchUp(account, config, client, store), store, bounds, write=not dry_run)

    progress = with_account(account, run)
    if json:
        print_json(progress, reveal=True)
    else:
        print_lines(_format_progress(progress, source, dry_run=dry_run), reveal=True)


async def _catch_up(recovery: CatchUp, store: Store, bounds: tuple[int, int | None], *, write: bool) -> Progress:
    progress = await recovery.start_or_resume(*bounds, store.clock.ms())
    while not progress.done:
        progress = await recovery.process_page(progress, write=write)
    if recovery.bell_set:
        await store.clear_bell(INBOX)  # a command does not publish bells: a worker's ticker will ring
    return progress


def _format_progress(progress: Progress, source: str, *, dry_run: bool) -> Iterator[str]:
    since, until = format_time(progress.since), format_time(progress.until)
    yield f"{source}, from {since} to {until}: {progress.received} change(s) were reported by hooks"
    yield f"{progress.recovered} {'would be recovered' if dry_run else 'recovered'}"
    if progress.gone:
        yield f"{progress.gone} cannot be recovered: their leads, contacts or companies do not exist any more"
    if progress.recovered and not dry_run:
        yield "they are routed like any other hook: relay events list shows them"
