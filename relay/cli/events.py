"""`relay events`: what came in, and what became of it."""

import typer

from relay.cli import options
from relay.cli.context import with_reader
from relay.cli.output import print_json, print_lines, print_table
from relay.cli.search import EventFilter, FoundEvent, find_events
from relay.cli.story import format_story, of_event, record
from relay.cli.timefmt import format_time

app = typer.Typer(name="events", help="What came in.", no_args_is_help=True)
COLUMNS = ("arrived", "event id", "source", "event", "entity", "state", "again", "reason")


@app.command("list")
def list_events(
    source: options.Source = None,
    event: options.EventName = None,
    entity: options.Entity = None,
    sink: options.Sink = None,
    state: options.EventState = None,
    since: options.Since = None,
    until: options.Until = None,
    limit: options.Limit = 20,
    json: options.Json = False,
    reveal: options.Reveal = False,
) -> None:
    """List events, the newest first. A hook that carried none is listed by its receipt."""
    wanted: EventFilter = options.event_filter(
        source=source, event=event, entity=entity, sink=sink, state=state, since=since, until=until, limit=limit
    )
    found = with_reader(lambda reader: find_events(reader, wanted))
    if json:
        print_json([_record(one) for one in found], reveal=reveal)
    else:
        print_table(COLUMNS, map(_row, found), reveal=reveal)


@app.command("show")
def show_event(id: str, json: options.Json = False, reveal: options.Reveal = False) -> None:
    """Tell the whole story of an event, or of a receipt: where it went, every attempt, and why not elsewhere."""
    story = with_reader(lambda reader: of_event(reader, id))
    if json:
        print_json(record(story), reveal=reveal)
    else:
        print_lines(format_story(story), reveal=reveal)


def _record(found: FoundEvent) -> dict[str, object]:
    event = found.event
    return {
        "id": found.id,
        "receipt_id": found.receipt.id,
        "source": found.receipt.source,
        "received_at": found.receipt.received_at,
        "event": event and event.name,
        "entity": event and event.entity,
        "entity_id": event and event.entity_id,
        "state": found.state,
        "reason": found.reason,
        "duplicates": found.receipt.duplicates,
    }


def _row(found: FoundEvent) -> tuple[object, ...]:
    event, receipt = found.event, found.receipt
    entity = f"{event.entity}:{event.entity_id}" if event and event.entity_id else ""
    name = event.name if event else "-"
    again = f"×{receipt.duplicates}" if receipt.duplicates else ""
    return format_time(receipt.received_at), found.id, receipt.source, name, entity, found.state, again, found.reason
