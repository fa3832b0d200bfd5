"""`relay people`: what the store has of a person."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from relay.cli import options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.context.store import with_store_and_reader
from relay.cli.display.going_on import print_next_command
from relay.cli.display.output import print_json, print_lines
from relay.store.acts import Author
from relay.store.wire import Cursor

if TYPE_CHECKING:
    from relay.operations.passport import Passport
    from relay.operations.people_query import PersonQuery
    from relay.store.reader import Reader
    from relay.store.store import Store

app = typer.Typer(name="people", help="Show what is stored of a person.", no_args_is_help=True)
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
    str, typer.Option(help="Of which source the contact and the lead are.", show_default=False)
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
