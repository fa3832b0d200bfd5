"""The command line: each command in the file of its name, in the order of `relay --help`."""

import sys
from typing import Annotated, Any

import typer

from relay import __version__
from relay.cli import (
    audit,
    backup,
    capacity,
    catch_up,
    check,
    connect,
    dead,
    deliveries,
    demo,
    dev,
    doctor,
    events,
    explain,
    held,
    init,
    names,
    restore,
    schema,
    send,
    sinks,
    stats,
    subscriptions,
    up,
    web,
    worker,
)
from relay.cli.display.output import print_message
from relay.errors import RelayError, StoreUnavailable
from relay.logs import configure_command

STORE_UNAVAILABLE = 2


def _print_version(wanted: bool) -> None:
    if wanted:
        print_message(f"relay {__version__}")
        raise typer.Exit


class CommandLine(typer.Typer):
    """Typer that shows the relay's own errors as messages, without a traceback."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command. Its exit status is 2 where the store is not available, 1 for the relay's other errors."""
        try:
            return super().__call__(*args, **kwargs)
        except RelayError as error:
            print_message(str(error), error=True)
            sys.exit(STORE_UNAVAILABLE if isinstance(error, StoreUnavailable) else 1)


app = CommandLine(
    name="relay",
    help="Store amoCRM (Kommo) webhooks and deliver them: run the relay, and see what came in and what went out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # it prints local variables, and these hold secrets
)


@app.callback()
def _prepare(
    version: Annotated[  # noqa: ARG001  it ends the program
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    configure_command()


app.command()(demo.demo)
app.command()(dev.dev)
app.command()(init.init)
app.command()(up.up)
app.command()(web.web)
app.command()(worker.worker)
app.command()(backup.backup)
app.command()(restore.restore)
app.command()(check.check)
app.command()(schema.schema)
app.command()(explain.explain)
app.command()(send.send)
app.command()(stats.stats)
app.command()(connect.connect)
app.command()(names.names)
app.command()(catch_up.catch_up)
app.command()(doctor.doctor)
app.command()(capacity.capacity)
app.add_typer(events.app)
app.add_typer(deliveries.app)
app.add_typer(dead.app)
app.add_typer(held.app)
app.command()(audit.audit)
app.add_typer(subscriptions.app)
app.add_typer(sinks.app)
