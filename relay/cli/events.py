"""`relay events`: the events that came in, and what became of them."""

from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from relay.cli import options
from relay.cli.context.store import with_reader
from relay.cli.display.going_on import print_hints, print_how_to_go_on
from relay.cli.display.output import print_json, print_lines, print_message, print_table
from relay.cli.display.story import format_story
from relay.errors import ConfigError, RelayError
from relay.model import Receipt
from relay.operations.listed_event import listed_event
from relay.operations.search import STEP_SECONDS, FoundEvent, find_events
from relay.operations.story import Story, read_event_story, tell_story
from relay.operations.unknown_filters import unknown_filters
from relay.store.reader import Reader
from relay.timefmt import format_time

if TYPE_CHECKING:
    from relay.operations.explanation import Explanation

app = typer.Typer(name="events", help="Show what came in, and what became of it.", no_args_is_help=True)
COLUMNS = ("arrived", "event id", "source", "event", "entity", "state", "duplicates", "reason")


@app.command("list")
def list_events(
    context: typer.Context,
    source: options.SourceOption = None,
    event: options.EventOption = None,
    entity: options.EntityOption = None,
    phone: options.PhoneOption = None,
    email: options.EmailOption = None,
    sink: options.SinkOption = None,
    route: options.RouteOption = None,
    reason: options.ReasonOption = None,
    state: options.ReceiptStateOption = None,
    text: options.TextOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    limit: options.LimitOption = 20,
    after: options.AfterOption = None,
    json: options.JsonOption = False,
    reveal: options.RevealOption = False,
) -> None:
    """List events, newest first. A receipt without events is listed by its own id."""
    filters = options.event_filter(
        source=source, event=event, entity=entity, sink=sink, state=state, since=since, until=until, limit=limit,
        after=after, phone=phone, email=email, route=route, reason=reason, text=text,
    )  # fmt: skip
    page = with_reader(lambda reader: find_events(reader, filters, STEP_SECONDS))
    if json:
        print_json(list(map(listed_event, page.items)), reveal=reveal)
    else:
        print_table(COLUMNS, map(_row, page.items), reveal=reveal)
    print_how_to_go_on(context, page)
    if not page.items:
        print_hints(with_reader(lambda reader: unknown_filters(reader, filters)))


@app.command("show")
def show_event(
    id: options.EventIdArgument,
    json: options.JsonOption = False,
    reveal: options.RevealOption = False,
    as_case: Annotated[
        bool,
        typer.Option("--as-case", help="Print a file of cases for `relay test` instead, with stand-ins for people."),
    ] = False,
) -> None:
    """Show the whole story of an event or a receipt: the routes that match and why others do not, every attempt."""
    if as_case:
        _print_case(id)
        return
    story, receipt, kept_until = with_reader(lambda reader: _read_story(reader, id))
    explanation = _explain(receipt)
    if json:
        told = tell_story(story, None if isinstance(explanation, str) else explanation)
        print_json(replace(told, kept_until=kept_until), reveal=reveal)
    else:
        print_lines(format_story(story, explanation, kept_until), reveal=reveal)


def _print_case(id: str) -> None:
    from relay.cases.from_event import cases_of_receipt, format_event_cases
    from relay.cli.context.configuration import load_config

    receipt_id, _, index = id.partition(".")
    receipt = with_reader(lambda reader: reader.raw_receipt(receipt_id))
    if receipt is None:
        raise RelayError(f"there is no event {id}, or its body is gone: `relay events list` shows what there is")
    print_message(format_event_cases(cases_of_receipt(receipt, load_config(), index or None)).rstrip("\n"))


async def _read_story(reader: Reader, id: str) -> tuple[Story, Receipt | None, int | None]:
    """Return a story, the receipt as it arrived, and until when it is kept where the configuration can be read."""
    from relay.cli.context.configuration import load_config
    from relay.operations.kept_until import read_kept_until

    story = await read_event_story(reader, id)
    receipt = await reader.raw_receipt(story.receipt.id)
    try:
        keep = load_config().retention
    except ConfigError:  # `_explain` says why
        return story, receipt, None
    return story, receipt, await read_kept_until(reader, keep, story.receipt)


def _explain(receipt: Receipt | None) -> "Explanation | str":
    """Explain a receipt by the configuration in force, or say why that is not possible."""
    from relay.cli.context.configuration import load_config
    from relay.operations.explanation import explain_receipt
    from relay.operations.people_events import add_names_of

    if receipt is None:
        return "its body is gone"
    add_names_of(receipt)
    try:
        return explain_receipt(receipt, load_config(), None)
    except ConfigError as error:
        return str(error).splitlines()[0]


def _row(listed: FoundEvent) -> tuple[object, ...]:
    event, receipt = listed.event, listed.receipt
    name = event.name if event else "-"
    entity = f"{event.entity}:{event.entity_id}" if event and event.entity_id else ""
    arrived, duplicates = format_time(receipt.received_at), receipt.duplicates or ""
    return arrived, listed.id, receipt.source, name, entity, listed.state, duplicates, _reason(listed)


def _reason(listed: FoundEvent) -> str:
    remarks = listed.receipt.remarks
    first = f"remark: {remarks[0]}" if remarks else ""
    more = f" (of {len(remarks)})" if len(remarks) > 1 else ""
    return "; ".join(filter(None, [listed.reason, first + more]))
