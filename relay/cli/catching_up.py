"""`relay catch-up`: what amoCRM never delivered, from the account's own memory."""

import asyncio
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from relay.accounts.account import open_account
from relay.accounts.catch_up import CatchUp, Progress
from relay.cli import options
from relay.cli.accounts import SourceName
from relay.cli.context import ANSWER_SECONDS, config, settings
from relay.cli.output import print_json, print_lines
from relay.cli.sources import source_of
from relay.cli.timefmt import format_time, parse_time
from relay.config.environment import Settings
from relay.config.load import Config, Source
from relay.errors import ConfigError
from relay.store.connect import connect
from relay.store.keys import INBOX
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.transport import Session


def catch_up(
    source: SourceName,
    since: Annotated[str, typer.Option(help="From when: 2h (ago), or 2026-11-23T14:30.")],
    until: Annotated[str | None, typer.Option(help="Until when; default: two minutes ago.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what was missed, and write nothing.")] = False,
    json: options.Json = False,
) -> None:
    """Make receipts of what the account remembers and no hook told. Cut off, it goes on; again, it finds nothing.

    What amoCRM is still repeating (for 95 minutes after a failure) may come a second time: `once` in a route holds it.
    """
    now = time.time_ns() // 1_000_000
    found = config()
    account = found.sources[source_of(found, source)]
    try:
        bounds = parse_time(since, now), None if until is None else parse_time(until, now)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    done = asyncio.run(_caught_up(account, found, settings(), bounds, now, write=not dry_run))
    if json:
        print_json(done, reveal=True)
    else:
        print_lines(_format_progress(done, source, dry_run=dry_run), reveal=True)


async def _caught_up(
    source: Source, found: Config, ours: Settings, bounds: tuple[int, int | None], now: int, *, write: bool
) -> Progress:
    if ours.redis_url is None:
        raise ConfigError("REDIS_URL is not set, and no `relay dev` runs in this folder: which store is meant?")
    store = Store(connect(ours.redis_url, answer_seconds=ANSWER_SECONDS), ours.namespace)
    session = Session()
    try:
        client = open_account(source, SharedState(store.client, ours.namespace), session, ours.secret_key)
        work = CatchUp(source, found, client, store)
        progress = await work.begin(*bounds, now)
        while not progress.done:
            progress = await work.page(progress, write=write)
        if work.bell_set:
            await store.clear_bell(INBOX)  # nobody publishes bells here: a worker's ticker rings
        return progress
    finally:
        await session.close()
        await store.client.aclose()


def _format_progress(done: Progress, source: str, *, dry_run: bool) -> Iterator[str]:
    yield f"{source}, from {format_time(done.since)} to {format_time(done.until)}: {done.told} told by hooks"
    yield f"{done.recovered} {'would be recovered' if dry_run else 'recovered'}"
    if done.gone:
        yield f"{done.gone} missed for good: their leads, contacts or companies are not there any more"
    if done.recovered and not dry_run:
        yield "they are routed like any other: relay events list shows them"
