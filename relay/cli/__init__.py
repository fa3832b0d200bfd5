"""The command line: one file for each group of commands. Errors are for people: a message, no traceback."""

import sys
from typing import Any

import typer

from relay.cli import (
    accounts,
    catching_up,
    check,
    decisions,
    deliveries,
    demo,
    doctor,
    events,
    explain,
    processes,
    send,
    sinks,
    stats,
    subscriptions,
)
from relay.errors import RelayError, StoreUnavailable
from relay.logs import configure_command

STORE_UNAVAILABLE = 2


class CommandLine(typer.Typer):
    """Typer, with the relay's own errors as messages: exit status 2 where the store is away, else 1."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command."""
        try:
            return super().__call__(*args, **kwargs)
        except RelayError as error:
            typer.echo(str(error), err=True)
            sys.exit(STORE_UNAVAILABLE if isinstance(error, StoreUnavailable) else 1)


app = CommandLine(
    name="relay",
    help="amoCRM (Kommo) webhooks, delivered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # it prints local variables, and these hold secrets
)
app.callback()(configure_command)
app.command()(demo.demo)
app.command()(processes.dev)
app.command()(processes.web)
app.command()(processes.worker)
app.command()(check.check)
app.command()(check.schema)
app.command()(explain.explain)
app.command()(send.send)
app.command()(stats.stats)
app.command()(accounts.connect)
app.command()(accounts.names)
app.command()(catching_up.catch_up)
app.command()(doctor.doctor)
app.add_typer(events.app)
deliveries.app.command()(decisions.confirm)
deliveries.app.command()(decisions.resend)
app.add_typer(deliveries.app)
app.add_typer(subscriptions.app)
app.add_typer(sinks.app)
