"""`relay names`: save what an account's pipelines, statuses, users and custom fields are called, or check them."""

from collections.abc import Iterator
from typing import Annotated, Final

import typer

from relay.cases.uses import find_case_uses
from relay.cli import options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.completion import complete_sources
from relay.cli.context.account import with_account
from relay.cli.context.configuration import choose_source, load_config
from relay.cli.context.environment import command_environ, load_settings
from relay.cli.context.store import with_reader
from relay.cli.display.output import print_json, print_lines
from relay.config.config import Config, Source
from relay.config.load import load_sources
from relay.errors import AccountRefused, AccountUnavailable, ConfigError
from relay.operations.names_check import NamesCheck, check_names
from relay.operations.names_update import NamesUpdate, update_names
from relay.operations.outward_calls import open_account
from relay.store.reader import Reader
from relay.store.shared_state import SharedState

NOT_ASKED: Final = 3  # the exit status where an account could not be asked
_NO_STORE = (
    "the account is asked through the relay's store, and none runs in this folder: set REDIS_URL, or write ids "
    "(status_id: 142) for now, start `relay dev`, run this again, and then write the names"
)


def names(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A source that has an api; default: the only one.", show_default=False, autocompletion=complete_sources
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Show what routes, tables and cases need and the account has otherwise; exit 1."),
    ] = False,
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Save the account's names of pipelines, statuses, users and custom fields, for use in the configuration.

    --check writes nothing. Without SOURCE it asks every account that can be asked. Exits with status 1 where one has
    drifted from what is needed of it, with 3 where one could not be asked and none has drifted.
    """
    if check:
        if dry_run:
            raise typer.BadParameter("--check writes nothing: leave out --dry-run")
        _check(source, json=json)
        return
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


def _check(name: str | None, *, json: bool) -> None:
    settings, config = load_settings(), load_config()
    sources = _checked(config, name)
    if settings.redis_url is None:
        raise ConfigError(_NO_STORE)
    uses, left_out = find_case_uses(config, settings.config_path, command_environ())
    failures: dict[str, str] = {}

    async def run(reader: Reader) -> list[NamesCheck]:
        checks = []
        for source in sources:
            try:
                own = reader.of_source(source.name)
                async with open_account(settings, own, source) as account:
                    checks.append(await check_names(account, SharedState(own.client, own.namespace), config, uses))
            except (AccountRefused, AccountUnavailable) as error:
                failures[source.name] = str(error)
        return checks

    checks = with_reader(run)
    if json:
        print_json({"checks": checks, "failures": failures, "cases_left_out": left_out})
    else:
        print_lines(line for one in checks for line in _check_lines(one))
        print_lines(f"{reason}: these cases are left out, `relay test` says more" for reason in left_out)
        print_lines(f"{source}: not compared, which is no drift: {why}" for source, why in failures.items())
    if any(one.drifts for one in checks):
        raise typer.Exit(1)
    if failures:
        raise typer.Exit(NOT_ASKED)


def _checked(config: Config, name: str | None) -> list[Source]:
    """Return the sources to check: the one that is named, or all whose account can be asked. Raises ConfigError."""
    if name is not None:
        return [choose_source(config.sources, name)]
    if not config.sources_with_api:
        raise ConfigError("no source has an api: without one no account can be asked what it calls its things")
    return [config.sources[source] for source in config.sources_with_api]


def _check_lines(check: NamesCheck) -> Iterator[str]:
    """Yield a line for each place that needs what has drifted, as compilers and editors write theirs."""
    for drift in check.drifts:
        yield from (f"{one.place}: {one.by}: {drift.found}: {drift.means}" for one in drift.used)
    yield f"{check.source}: {len(check.drifts)} thing(s) drifted from what is needed of the account"
    if check.differing:
        yield f"{check.source}: {check.differing} name(s) differ from the file; `relay names {check.source}` writes it"
