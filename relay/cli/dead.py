"""`relay dead`: dead letters: what was given up on, kept whole."""

import typer

from relay.cli import acts, options
from relay.cli.delivery_list import print_deliveries
from relay.model import DeliveryState

app = typer.Typer(name="dead", help="Show dead letters, and send them again.", no_args_is_help=True)


@app.command("list")
def list_dead(
    context: typer.Context,
    source: options.SourceOption = None,
    event: options.EventOption = None,
    entity: options.EntityOption = None,
    sink: options.SinkOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    limit: options.LimitOption = 20,
    after: options.AfterOption = None,
    json: options.JsonOption = False,
    reveal: options.RevealOption = False,
) -> None:
    """List dead deliveries, by when they became so, newest first: as `relay deliveries list --state dead`."""
    filters = options.event_filter(
        source=source, event=event, entity=entity, sink=sink, state=DeliveryState.DEAD, since=since,
        until=until, limit=limit, after=after,
    )  # fmt: skip
    print_deliveries(context, filters, json=json, reveal=reveal)


app.command()(acts.resend)
app.command()(acts.cancel)
