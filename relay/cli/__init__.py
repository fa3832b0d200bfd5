"""The command line: each command in the file of its name."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from relay import __version__
from relay.cli.loading import LazyCommand
from relay.errors import RelayError, StoreUnavailable
from relay.masking import collect_names
from relay.startup import collect_garbage_seldom

STORE_UNAVAILABLE = 2

# What `relay --help` and the completion of shells show, in this order, without importing any. A test compares the
# texts with the commands' own.
COMMANDS: Final[Mapping[str, str]] = {
    "demo": "Run a relay with fake vendors and a store of its own, and show what sample hooks become.",
    "dev": "Run everything on this machine: web, a worker, fake vendors, and a store unless REDIS_URL is set.",
    "init": "Write config/relay.yaml with its cases, .env, .env.example and a systemd unit.",
    "up": "Run production on this server: the store, web and workers, started again when they end.",
    "web": "Run the web process, which takes hooks: on RELAY_HOST and PORT, with WEB_CONCURRENCY processes.",
    "worker": "Run a worker, which routes events and sends deliveries.",
    "backup": "Save the store of `relay up` to a file, while it runs or not.",
    "restore": "Make the store of `relay up` from a backup, in a folder that has none.",
    "check": "Check the configuration file.",
    "plan": "Say what a new configuration would have done with the stored hooks, route by route.",
    "test": "Run the cases of routes: given this hook, expect these deliveries.",
    "schema": "Print the JSON Schema of the configuration file, for editors.",
    "explain": "Show for each route whether a hook matches, which condition fails, and what would be sent.",
    "send": "Post the body of a hook to a running relay, as amoCRM would, and print its receipt.",
    "top": "Follow numbers, problems and the newest events on a terminal; in a pipe print them once.",
    "stats": "Show counts, rates and latencies, and of each sink what waits and whether its gate is closed.",
    "connect": "Register the relay as a webhook of the account, for the events that are needed here.",
    "names": "Save the account's names of pipelines, statuses, users and custom fields, for use in the configuration.",
    "catch-up": "Recover changes that are in the account's history and that no hook reported.",
    "doctor": "Check the configuration, the store, the broker, the workers, the sinks and the sources.",
    "shards": "Show the shards of a store on a cluster, add one, move sources.",
    "system": "Show the store and what its memory is for, the workers and their versions, and the queues.",
    "problems": "Show what needs you, since when, and the command that helps.",
    "capacity": "Say how many web processes, workers and stores so many hooks a day need, by what was measured.",
    "events": "Show what came in, and what became of it.",
    "replay": "Route stored hooks again, by today's configuration: what succeeded is left alone. Safe to repeat.",
    "deliveries": "Show what goes out, and decide about what needs a person.",
    "dead": "Show dead letters, and send them again.",
    "held": "Show what may have arrived, and decide about it.",
    "actions": "Show what is being done to many things at once, and pause, resume or abort it.",
    "audit": "Show what people did, the newest first: who, what, why and when.",
    "subscriptions": "List and change which applications are sent events.",
    "people": "Show what is stored of a person, and erase it.",
    "sources": "Show how the sources stand: last hook, rhythm, and their hook in the account.",
    "alerts": "Try out whether alerts reach somebody.",
    "sinks": "Show whether the sinks can be delivered to, pause them and let them go on.",
}


def _print_version(wanted: bool) -> None:
    if wanted:
        from relay.cli.display.output import print_message

        print_message(f"relay {__version__}")
        raise typer.Exit


class Commands(TyperGroup):
    """The group of all commands, which are imported when they are run."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, help in COMMANDS.items():
            self.add_command(LazyCommand(name, help=help))

    def invoke(self, ctx: Any) -> Any:
        """Run a command, which masks the names of the people whom it comes upon."""
        collect_names()
        return super().invoke(ctx)


class CommandLine(typer.Typer):
    """Typer that shows the relay's own errors as messages, without a traceback."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command. Its exit status is 2 where the store is not available, 1 for the relay's other errors."""
        collect_garbage_seldom()
        try:
            return super().__call__(*args, **kwargs)
        except RelayError as error:
            from relay.cli.display.output import print_message

            print_message(str(error), error=True)
            sys.exit(STORE_UNAVAILABLE if isinstance(error, StoreUnavailable) else 1)


app = CommandLine(
    name="relay",
    cls=Commands,
    help="Store amoCRM (Kommo) webhooks and deliver them: run the relay, and see what came in and what went out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # it prints local variables, and these hold secrets
)


@app.callback()
def _accept_options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Accept the options of `relay` itself: each ends the program."""
