"""`relay deliveries`: what goes out, what waits, what was given up, and what a person decides about it."""

import typer

from relay.cli import acts, options
from relay.cli.context.store import with_reader
from relay.cli.delivery_list import print_deliveries
from relay.cli.display.output import print_json, print_lines
from relay.cli.display.request import format_request
from relay.cli.display.story import format_story
from relay.errors import ConfigError
from relay.model import Json
from relay.operations.story import Story, read_delivery_story, tell_story
from relay.store.acts import Act
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery

app = typer.Typer(
    name="deliveries", help="Show what goes out, and decide about what needs a person.", no_args_is_help=True
)


@app.command("list")
def list_deliveries(
    context: typer.Context,
    source: options.SourceOption = None,
    event: options.EventOption = None,
    entity: options.EntityOption = None,
    phone: options.PhoneOption = None,
    email: options.EmailOption = None,
    sink: options.SinkOption = None,
    route: options.RouteOption = None,
    reason: options.ReasonOption = None,
    state: options.DeliveryStateOption = None,
    cause: options.CauseOption = None,
    text: options.TextOption = None,
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
        after=after, phone=phone, email=email, route=route, reason=reason, cause=cause,
        text=text,
    )  # fmt: skip
    print_deliveries(context, filters, json=json, reveal=reveal)


@app.command("show")
def show_delivery(
    id: options.DeliveryIdArgument, json: options.JsonOption = False, reveal: options.RevealOption = False
) -> None:
    """Show the whole story of a delivery, and the request that it sends."""
    story, content = with_reader(lambda reader: _read_story_and_content(reader, id))
    request = _describe(story.deliveries[0].delivery, content)
    if json:
        print_json(tell_story(story, request=request), reveal=reveal)
    else:
        print_lines([*format_story(story), "request", *format_request(request)], reveal=reveal)


async def _read_story_and_content(reader: Reader, id: str) -> tuple[Story, bytes]:
    from relay.operations.people_events import add_names_of

    story = await read_delivery_story(reader, id)
    if (receipt := await reader.raw_receipt(story.receipt.id)) is not None:
        add_names_of(receipt)
    return story, await reader.content(story.deliveries[0].delivery)


def _describe(delivery: StoredDelivery, content: bytes) -> Json:
    """Describe the request by the configuration in force, or say why that is not possible."""
    from relay.cli.context.configuration import load_config
    from relay.operations.request_description import describe_request

    try:
        return describe_request(load_config(), delivery, content)
    except ConfigError as error:
        return f"not shown: {str(error).splitlines()[0]}"


for _act in (Act.RETRY, Act.CANCEL, Act.CONFIRM, Act.RESEND, Act.MOVE):
    app.command(_act)(acts.act_command(_act))
