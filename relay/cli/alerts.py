"""`relay alerts`: whether alerts reach somebody."""

from typing import Annotated

import typer

from relay.cli import options
from relay.cli.completion import complete_sinks
from relay.cli.display.output import print_json, print_table

app = typer.Typer(name="alerts", help="Try out whether alerts reach somebody.", no_args_is_help=True)
COLUMNS = ("sink", "type", "route", "fact", "", "answer")


@app.callback()
def alerts() -> None:
    """Try out whether alerts reach somebody."""


@app.command("test")
def send_samples(
    sink: Annotated[
        str | None, typer.Option(help="Only this one; default: each that alerts go to.", autocompletion=complete_sinks)
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Send a sample fact now through each sink that a route on facts names, and show what they answer.

    It ends with 1 where one did not take it.
    """
    from relay.cli.context.account import with_tools
    from relay.cli.context.configuration import load_config
    from relay.operations.alert_trial import alert_routes, try_alerts

    config = load_config()
    routes = alert_routes(config, sink)
    trials = with_tools(lambda tools: try_alerts(config, routes, tools))
    if json:
        print_json(trials)
    else:
        rows = ((one.sink, one.type, one.route, one.fact, one.outcome, one.reason) for one in trials)
        print_table(COLUMNS, rows)
    if not all(one.delivered for one in trials):
        raise typer.Exit(1)
