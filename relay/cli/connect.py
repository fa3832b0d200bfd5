"""`relay connect`: register the relay's address as a webhook of an account."""

from collections.abc import Iterator
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.context.account import with_account
from relay.cli.context.configuration import choose_source, load_config
from relay.cli.display.output import print_json, print_lines
from relay.operations.hook_registration import HookRegistration, connect_source


def connect(
    source: options.SourceArgument,
    url: Annotated[str, typer.Option(help="The relay's address as amoCRM reaches it: https://relay.example.com")],
    enable: Annotated[
        bool, typer.Option("--enable", help="Enable the webhook again where amoCRM has disabled it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Register the relay as a webhook of the account, for the events that are needed here. Safe to repeat."""
    config = load_config()
    account = choose_source(config.sources, source)
    who = author(by, why)
    registration = with_account(
        account,
        lambda client, store: connect_source(config, source, url, client, store, who, enable=enable, dry_run=dry_run),
    )
    if json:
        print_json(registration, reveal=True)
    else:
        print_lines(_format_registration(registration, source, enable=enable, dry_run=dry_run), reveal=True)


def _format_registration(registration: HookRegistration, source: str, *, enable: bool, dry_run: bool) -> Iterator[str]:
    change, count = registration.change, f"{len(registration.events)} event(s)"
    yield f"{registration.url} in the account of {source}"
    yield from (f"  + {event}" for event in change.added)
    yield from (f"  - {event}" for event in change.removed)
    if change.needs_update:
        yield f"{'would be ' if dry_run else ''}{'registered' if change.new else 'updated'}: {count}"
    else:
        yield f"nothing {'would change' if dry_run else 'changes'}: {count}"
    if change.disabled:
        yield _format_disabled(enable=enable, dry_run=dry_run)
    if change.unknown:
        yield f"amoCRM has no subscription to {', '.join(change.unknown)}: set these up in the account by hand"
    yield from (f"another hook leads to this source: {url}: remove it in the account" for url in change.strays)


def _format_disabled(*, enable: bool, dry_run: bool) -> str:
    if not enable:
        return "amoCRM has DISABLED this hook after too many failures, and sends nothing: enable it with `--enable`"
    return "it was disabled: it would be enabled" if dry_run else "it was disabled, and is enabled again"
