"""`relay held`: what may have arrived: a person must decide."""

import typer

from relay.cli import options
from relay.cli.delivery_list import print_deliveries
from relay.model import DeliveryState

app = typer.Typer(name="held", help="Show what may have arrived, and needs a decision.", no_args_is_help=True)


@app.callback()
def _keep_subcommands() -> None:  # without a callback Typer would make the only command the group itself
    """Show what may have arrived, and needs a decision."""


@app.command("list")
def list_held(
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
    """List held deliveries, by when they became so, newest first: as `relay deliveries list --state held`."""
    filters = options.event_filter(
        source=source, event=event, entity=entity, sink=sink, state=DeliveryState.HELD, since=since,
        until=until, limit=limit, after=after,
    )  # fmt: skip
    print_deliveries(context, filters, json=json, reveal=reveal)
