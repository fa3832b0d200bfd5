"""`relay people`: what the store has of a person, and taking it out."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from relay.cli import bulk, options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.completion import complete_sources
from relay.cli.context.store import with_store_and_reader
from relay.cli.display.going_on import print_next_command
from relay.cli.display.output import print_json, print_lines, print_message
from relay.store.acts import Author
from relay.store.wire.lists import Cursor

if TYPE_CHECKING:
    from relay.operations.actions import StartedAction
    from relay.operations.erasing import ErasurePreview
    from relay.operations.passport import Passport
    from relay.operations.people_query import PersonQuery
    from relay.store.reader import Reader
    from relay.store.store import Store

app = typer.Typer(name="people", help="Show what is stored of a person, and erase it.", no_args_is_help=True)
SECONDS = 10.0
PhoneOption: TypeAlias = Annotated[str, typer.Option(help="Their phone number, in any spelling.", show_default=False)]
EmailOption: TypeAlias = Annotated[str, typer.Option(help="Their e-mail address.", show_default=False)]
ContactOption: TypeAlias = Annotated[
    str, typer.Option(metavar="ID", help="Their contact in the account.", show_default=False)
]
LeadOption: TypeAlias = Annotated[
    str, typer.Option(metavar="ID", help="Their lead in the account.", show_default=False)
]
SourceOption: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Of which source the contact and the lead are.", show_default=False, autocompletion=complete_sources
    ),
]


@app.command("show")
def show_person(
    context: typer.Context,
    phone: PhoneOption = "",
    email: EmailOption = "",
    contact: ContactOption = "",
    lead: LeadOption = "",
    source: SourceOption = "",
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Look through all hooks, though there is an index.")
    ] = False,
    limit: options.LimitOption = 100,
    after: options.AfterOption = None,
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
    reveal: options.RevealOption = False,
) -> None:
    """Show a person's passport: which hooks speak of them, which sinks were sent which fields, and when.

    What is given together is one person. The audit records that it was shown, by whom and why.
    """
    from relay.cli.display.people import format_passport
    from relay.operations.passport import mask_passport

    query = _query(phone, email, contact, lead, source)
    cursor = None if after is None else options.parse_cursor_option(after)
    who = author(by, why)
    passport = with_store_and_reader(lambda s, r: _read(s, r, query, limit, cursor, who, thorough=thorough))
    if json:
        print_json(passport, reveal=reveal)
    else:
        print_lines(format_passport(passport if reveal else mask_passport(passport)), reveal=reveal)
    if passport.next is not None:
        looked = f"looked at {passport.looked:,} of {passport.total:,}; "
        print_next_command(context, looked, "--after", passport.next)


@app.command("erase")
def erase_person(
    phone: PhoneOption = "",
    email: EmailOption = "",
    contact: ContactOption = "",
    lead: LeadOption = "",
    source: SourceOption = "",
    dry_run: bulk.DryRunOption = False,
    yes: bulk.YesOption = False,
    wait: bulk.WaitOption = False,
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Take a person out of all that is stored: hooks, what was sent, answers, indexes. It cannot be undone.

    The workers do it. What is to be sent is cancelled, sinks that can be asked are asked to forget them. What stays is
    which, when and in which state, without the person. Backups keep the person.
    """
    from relay.cli.display.people import format_erasure

    query, who = _query(phone, email, contact, lead, source), author(by, why)
    how = bulk.BulkOptions(dry_run=dry_run, sure=yes, ask=not yes, wait=wait, json=json)
    if not how.sure and not bulk.is_terminal() and not how.dry_run:
        raise typer.BadParameter("it cannot be undone: say --yes where it is meant, or --dry-run")

    async def prepare(store: "Store", reader: "Reader") -> "tuple[ErasurePreview, StartedAction | None, int]":
        from relay.cli.context.configuration import load_config
        from relay.cli.context.environment import load_settings
        from relay.operations.erasing import preview_erasure, start_erasure
        from relay.operations.people_query import find_person

        known = await find_person(reader, query, load_settings().secret_key)
        preview = await preview_erasure(reader, load_config(), known, query, SECONDS)
        if not json:
            print_lines(format_erasure(preview))
        if dry_run or not preview.erases or (how.ask and not bulk.confirmed()):
            return preview, None, 0
        return preview, await start_erasure(store, reader, known, query, who), await reader.workers()

    preview, started, workers = with_store_and_reader(prepare)
    if started is not None:
        bulk.show_started(preview, started, how, workers)
    elif json:
        print_json({"preview": preview, "action": None})
    elif dry_run:
        print_message("nothing was written: --dry-run")


@app.command("erasures")
def list_erasures(limit: options.LimitOption = 20, json: options.JsonOption = False) -> None:
    """List the erasures, the newest first: whom, masked, how far each is, and which sinks were asked to forget them."""
    from relay.cli.context.configuration import load_config
    from relay.cli.display.people import format_erasures
    from relay.operations.erasures import read_erasures

    configured = load_config().sinks
    erasures = with_store_and_reader(lambda store, reader: read_erasures(store, reader, limit, configured))
    if json:
        print_json(erasures)
    else:
        print_lines(format_erasures(erasures))


def _query(phone: str, email: str, contact: str, lead: str, source: str) -> "PersonQuery":
    from relay.operations.people_query import PersonQuery, check_query

    query = PersonQuery(phone=phone, email=email, contact=contact, lead=lead, source=source)
    try:
        check_query(query)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return query


async def _read(
    store: "Store",
    reader: "Reader",
    query: "PersonQuery",
    limit: int,
    after: Cursor | None,
    who: Author,
    *,
    thorough: bool,
) -> "Passport":
    from relay.cli.context.configuration import load_config
    from relay.cli.context.environment import load_settings
    from relay.operations.passport import PassportSearch, note_shown
    from relay.operations.people_query import find_person

    known = await find_person(reader, query, load_settings().secret_key)
    search = PassportSearch(reader, load_config(), known)
    passport = await search.read(query, limit, after, thorough=thorough, seconds=SECONDS)
    await note_shown(store.acts, query, who)
    return passport
