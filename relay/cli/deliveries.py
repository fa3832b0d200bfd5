"""`relay deliveries`: what went out, what waits, and what was given up."""

import typer

from relay.cli import options
from relay.cli.context import config, with_reader
from relay.cli.output import print_json, print_lines, print_table
from relay.cli.requests import described, lines_of
from relay.cli.search import EventFilter, find_deliveries
from relay.cli.story import Story, format_story, of_delivery, record
from relay.cli.timefmt import format_time
from relay.errors import ConfigError
from relay.model import DeliveryState, Json
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery

app = typer.Typer(name="deliveries", help="What goes out.", no_args_is_help=True)
COLUMNS = ("arrived", "delivery id", "sink", "state", "tries", "next try", "route", "reason")


@app.command("list")
def list_deliveries(
    source: options.Source = None,
    event: options.EventName = None,
    entity: options.Entity = None,
    sink: options.Sink = None,
    state: options.StateOfDelivery = None,
    since: options.Since = None,
    until: options.Until = None,
    limit: options.Limit = 20,
    json: options.Json = False,
    reveal: options.Reveal = False,
) -> None:
    """List deliveries, the newest first."""
    wanted: EventFilter = options.event_filter(
        source=source, event=event, entity=entity, sink=sink, state=state, since=since, until=until, limit=limit
    )
    found = with_reader(lambda reader: find_deliveries(reader, wanted))
    if json:
        print_json(found, reveal=reveal)
    else:
        print_table(COLUMNS, map(_row, found), reveal=reveal)


@app.command("show")
def show_delivery(id: str, json: options.Json = False, reveal: options.Reveal = False) -> None:
    """Tell the whole story of a delivery, and show what it sends."""
    story, content = with_reader(lambda reader: _read(reader, id))
    request = _request(story.deliveries[0].delivery.sink, content)
    if json:
        print_json({**record(story), "request": request}, reveal=reveal)
    else:
        print_lines([*format_story(story), "request", *lines_of(request)], reveal=reveal)


async def _read(reader: Reader, id: str) -> tuple[Story, bytes]:
    story = await of_delivery(reader, id)
    return story, await reader.content(story.deliveries[0].delivery)


def _request(sink: str, content: bytes) -> Json:
    """Show the request by today's configuration, or say why that cannot be."""
    try:
        return described(config(), sink, content)
    except ConfigError as error:
        return f"not shown: {str(error).splitlines()[0]}"


def _row(delivery: StoredDelivery) -> tuple[object, ...]:
    next_try = "now" if delivery.in_flight else format_time(delivery.due_at)
    waits = next_try if delivery.state is DeliveryState.PENDING else ""
    return (
        format_time(delivery.accepted_at),
        delivery.id,
        delivery.sink,
        delivery.state,
        delivery.attempts,
        waits,
        delivery.route,
        delivery.reason,
    )
