"""`relay deliveries`: what goes out, what waits, what was given up, and what a person decides about it."""

import getpass
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeAlias

import typer

from relay.cli import options
from relay.cli.context import load_config, with_reader, with_store
from relay.cli.display.going_on import print_hints, print_how_to_go_on
from relay.cli.display.output import print_json, print_lines, print_message, print_table
from relay.cli.display.paused import format_reason
from relay.cli.display.request import format_request
from relay.cli.display.story import format_story
from relay.errors import ConfigError
from relay.model import DeliveryState, Json
from relay.operations.request_description import describe_request
from relay.operations.search import find_deliveries
from relay.operations.story import Story, read_delivery_story, story_fields
from relay.operations.unknown_filters import unknown_filters
from relay.store.reader import Reader
from relay.store.store import Store
from relay.store.stored import StoredDelivery
from relay.timefmt import format_time

app = typer.Typer(
    name="deliveries", help="Show what goes out, and decide about what needs a person.", no_args_is_help=True
)
COLUMNS = ("arrived", "delivery id", "sink", "state", "attempts", "next attempt", "route", "reason")

DeliveryIds: TypeAlias = Annotated[list[str], typer.Argument(metavar="DELIVERY_ID…", show_default=False)]
ByOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Who decides; the delivery's story shows it.", show_default="your user name")
]


@app.command("list")
def list_deliveries(
    context: typer.Context,
    source: options.SourceOption = None,
    event: options.EventOption = None,
    entity: options.EntityOption = None,
    sink: options.SinkOption = None,
    state: options.DeliveryStateOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    limit: options.LimitOption = 20,
    after: options.AfterOption = None,
    json: options.JsonOption = False,
    reveal: options.RevealOption = False,
) -> None:
    """List deliveries, newest first: with --state held or dead by when they became so."""
    filters = options.event_filter(
        source=source, event=event, entity=entity, sink=sink, state=state, since=since, until=until, limit=limit,
        after=after,
    )  # fmt: skip
    page = with_reader(lambda reader: find_deliveries(reader, filters))
    if json:
        print_json(page.items, reveal=reveal)
    else:
        print_table(COLUMNS, map(_row, page.items), reveal=reveal)
    print_how_to_go_on(context, page)
    if not page.items:
        print_hints(with_reader(lambda reader: unknown_filters(reader, filters)))


@app.command("show")
def show_delivery(
    id: options.DeliveryIdArgument, json: options.JsonOption = False, reveal: options.RevealOption = False
) -> None:
    """Show the whole story of a delivery, and the request that it sends."""
    story, content = with_reader(lambda reader: _read_story_and_content(reader, id))
    request = _describe(story.deliveries[0].delivery, content)
    if json:
        print_json({**story_fields(story), "request": request}, reveal=reveal)
    else:
        print_lines([*format_story(story), "request", *format_request(request)], reveal=reveal)


@app.command()
def confirm(ids: DeliveryIds, by: ByOption = None) -> None:
    """Settle held deliveries as delivered, after you have checked that they arrived."""
    _decide(ids, by, "delivered", Store.confirm)


@app.command()
def resend(ids: DeliveryIds, by: ByOption = None) -> None:
    """Send held, dead, cancelled or skipped deliveries again. Check first that held ones have not arrived."""
    _decide(ids, by, "will be sent again", Store.resend)


def _decide(
    ids: Sequence[str], by: str | None, done: str, apply: Callable[[Store, str, str], Awaitable[str | None]]
) -> None:
    operator = by or getpass.getuser()

    async def apply_all(store: Store) -> list[str | None]:
        return [await apply(store, id, operator) for id in ids]

    refusals = with_store(apply_all)
    for id, refusal in zip(ids, refusals, strict=True):
        print_message(f"{id}: {refusal or done}", error=refusal is not None)
    if any(refusals):
        raise typer.Exit(1)


async def _read_story_and_content(reader: Reader, id: str) -> tuple[Story, bytes]:
    story = await read_delivery_story(reader, id)
    return story, await reader.content(story.deliveries[0].delivery)


def _describe(delivery: StoredDelivery, content: bytes) -> Json:
    """Describe the request by the configuration in force, or say why that is not possible."""
    try:
        return describe_request(load_config(), delivery, content)
    except ConfigError as error:
        return f"not shown: {str(error).splitlines()[0]}"


def _row(delivery: StoredDelivery) -> tuple[object, ...]:
    next_attempt = ""
    if delivery.state is DeliveryState.PENDING and not delivery.paused:
        next_attempt = "now" if delivery.in_flight else format_time(delivery.due_at)
    return (
        format_time(delivery.accepted_at),
        delivery.id,
        delivery.sink,
        delivery.state,
        delivery.attempts,
        next_attempt,
        delivery.route,
        format_reason(delivery),
    )
