"""`relay audit`: what people did."""

import re
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.context.store import with_store
from relay.cli.display.output import print_json, print_message, print_table
from relay.operations.search import MOST_LISTED
from relay.store.acts import AuditEntry
from relay.timefmt import format_time

COLUMNS = ("when", "who", "act", "what", "was", "why")


def audit(
    limit: options.LimitOption = 20,
    before: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with what was done before this entry.", show_default=False)
    ] = None,
    json: options.JsonOption = False,
    reveal: options.RevealOption = False,
) -> None:
    """Show what people did, the newest first: who, what, why and when."""
    if before is not None and re.fullmatch(r"\d{1,15}-\d{1,10}", before) is None:
        raise typer.BadParameter(
            f"{before!r} is no entry: copy it from the last line of the list", param_hint="--before"
        )
    limit = min(limit, MOST_LISTED)
    entries = with_store(lambda store: store.acts.audit(limit, before))
    if json:
        print_json(entries, reveal=reveal)
    else:
        print_table(COLUMNS, map(_row, entries), reveal=reveal)
    if len(entries) == limit:
        print_message(f"go on with:\nrelay audit --limit {limit} --before {entries[-1].id}", error=True)


def _row(entry: AuditEntry) -> tuple[object, ...]:
    return format_time(entry.at), entry.by, entry.act, entry.what, entry.before, entry.why
