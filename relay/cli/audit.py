"""`relay audit`: what people did."""

from typing import Annotated

import typer

from relay.cli import options
from relay.cli.context.store import with_store
from relay.cli.display.going_on import print_next_command
from relay.cli.display.output import print_json, print_table
from relay.operations.audit import AuditFilter, find_audit, is_entry
from relay.operations.search import MOST_LISTED
from relay.store.acts import AuditEntry
from relay.timefmt import format_time

COLUMNS = ("when", "who", "act", "what", "was", "why")


def audit(
    context: typer.Context,
    by: Annotated[str, typer.Option(help="Only what this person did.", show_default=False)] = "",
    act: Annotated[str, typer.Option(help="Only this act: resend, pause, reveal…", show_default=False)] = "",
    what: Annotated[str, typer.Option(help="Only about this: an id, a sink, a part of it.", show_default=False)] = "",
    since: Annotated[str | None, typer.Option(help="Only since then: 2h (ago), or 2026-11-23T14:30.")] = None,
    until: Annotated[str | None, typer.Option(help="Only until then.")] = None,
    limit: options.LimitOption = 20,
    before: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with what was done before this entry.", show_default=False)
    ] = None,
    json: options.JsonOption = False,
    reveal: options.RevealOption = False,
) -> None:
    """Show what people did, the newest first: who, what, why and when."""
    if before is not None and not is_entry(before):
        raise typer.BadParameter(
            f"{before!r} is no entry: copy it from the last line of the list", param_hint="--before"
        )
    filters = AuditFilter(
        by=by,
        act=act,
        what=what,
        since=None if since is None else options.parse_time(since, "--since"),
        until=None if until is None else options.parse_time(until, "--until"),
        limit=min(limit, MOST_LISTED),
        before=before or "",
    )
    page = with_store(lambda store: find_audit(store.acts, filters))
    if json:
        print_json(page.items, reveal=reveal)
    else:
        print_table(COLUMNS, map(_row, page.items), reveal=reveal)
    if page.next:
        looked = f"{len(page.items)} listed; looked at {page.looked:,} entries; " if filters.by_words else ""
        print_next_command(context, looked, "--before", page.next)


def _row(entry: AuditEntry) -> tuple[object, ...]:
    return format_time(entry.at), entry.by, entry.act, entry.what, entry.before, entry.why
