"""`relay names`: save what an account's pipelines, statuses, users and custom fields are called."""

from collections.abc import Iterator
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.context.account import with_account
from relay.cli.context.configuration import choose_source
from relay.cli.context.environment import command_environ, load_settings
from relay.cli.display.output import print_json, print_lines
from relay.config.load import load_sources
from relay.errors import ConfigError
from relay.operations.names_update import NamesUpdate, update_names

_NO_STORE = (
    "the account is asked through the relay's store, and none runs in this folder: set REDIS_URL, or write ids "
    "(status_id: 142) for now, start `relay dev`, run this again, and then write the names"
)


def names(
    source: options.SourceArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")] = False,
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Save the account's names of pipelines, statuses, users and custom fields, for use in the configuration."""
    settings = load_settings()
    path = settings.config_path
    account = choose_source(load_sources(path, environ=command_environ()), source)
    if settings.redis_url is None:  # and `relay dev` does not start while the file has names that it does not know
        raise ConfigError(_NO_STORE)
    who = author(by, why)
    update = with_account(
        account, lambda client, store: update_names(client, store, path, account.name, who, dry_run=dry_run)
    )
    if json:
        print_json(update)
    else:
        print_lines(_lines(update, dry_run=dry_run))


def _lines(update: NamesUpdate, *, dry_run: bool) -> Iterator[str]:
    counts = f"{update.pipelines} pipeline(s), {update.users} user(s), {update.custom_fields} custom field(s)"
    unchanged = "" if update.changed else "; nothing has changed"
    yield f"{update.file}: {counts}{unchanged}"
    yield from (f"  {line}" for line in update.changes)
    if dry_run and update.changed:
        yield "nothing was written"
