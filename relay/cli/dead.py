"""`relay dead`: dead letters: what was given up on, kept whole."""

import typer

from relay.cli import acts, options
from relay.cli.delivery_list import print_deliveries
from relay.model import DeliveryState
from relay.store.acts import Act

app = typer.Typer(name="dead", help="Show dead letters, and send them again.", no_args_is_help=True)


@app.command("list")
def list_dead(
    context: typer.Context,
    source: options.SourceOption = None,
    event: options.EventOption = None,
    entity: options.EntityOption = None,
    phone: options.PhoneOption = None,
    email: options.EmailOption = None,
    sink: options.SinkOption = None,
    route: options.RouteOption = None,
    reason: options.ReasonOption = None,
    cause: options.CauseOption = None,
    text: options.TextOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    limit: options.LimitOption = 20,
    after: options.AfterOption = None,
    json: options.JsonOption = False,
    reveal: options.RevealOption = False,
) -> None:
    """List dead deliveries, by when they became so, newest first: as `relay deliveries list --state dead`."""
    filters = options.event_filter(
        source=source, event=event, entity=entity, sink=sink, route=route, state=DeliveryState.DEAD,
        reason=reason, since=since, until=until, cause=cause, limit=limit, after=after,
        phone=phone, email=email, text=text,
    )  # fmt: skip
    print_deliveries(context, filters, json=json, reveal=reveal)


for _act in (Act.RESEND, Act.CANCEL, Act.MOVE):
    app.command(_act)(acts.act_command(_act, DeliveryState.DEAD))
