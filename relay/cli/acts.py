"""What a person does to deliveries: commands of `relay deliveries`, `dead` and `held`.

Those that are named by their ids are acted on at once; all that options find, by a bulk action.
"""

import getpass
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from relay.cli import bulk, options
from relay.cli.completion import complete_sinks
from relay.cli.context.store import with_store, with_store_and_reader
from relay.cli.display.output import print_json, print_message
from relay.model import DeliveryState
from relay.operations.actions import DEFAULT_RATE
from relay.store.acts import Act, Author

if TYPE_CHECKING:  # lists of deliveries import this module, and none of what decides
    from relay.operations.acts import ActResult
    from relay.store.reader import Reader
    from relay.store.store import Store

DeliveryIds: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="[DELIVERY_ID…]", help="These; or with --all what the options find.", show_default=False),
]
ByOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Who acts; stories and `relay audit` show it.", show_default="your user name")
]
WhyOption: TypeAlias = Annotated[str, typer.Option(help="Why; kept beside who.", show_default=False)]
RenderOption: TypeAlias = Annotated[
    bool, typer.Option("--render", help="With what today's routes make of the event, under a new idempotency key.")
]
ToOption: TypeAlias = Annotated[
    str,
    typer.Option(help="A sink of the configuration, of the same type.", metavar="SINK", autocompletion=complete_sinks),
]

_HELP: Final = {
    Act.RETRY: "Make pending deliveries due now instead of at their next attempt.",
    Act.CANCEL: "Give up pending, held or dead deliveries. What is in flight may still arrive, and is not sent again.",
    Act.CONFIRM: "Settle held deliveries as delivered, after you have checked that they arrived.",
    Act.RESEND: "Send held, dead, cancelled or skipped deliveries again. Check first that held ones have not arrived.",
    Act.MOVE: "Move pending, held or dead deliveries of a sink that left the configuration to one that it has.",
}


def author(by: str | None, why: str) -> Author:
    """Return who acts: the user of this process, where nobody else is named."""
    return Author(by=by or getpass.getuser(), why=why)


def act_command(act: Act, only: DeliveryState | None = None) -> Callable[..., None]:
    """Return the command that does an act; of a group whose deliveries are all in one state, without `--state`."""

    def command(
        ids: DeliveryIds = None,
        *,
        every: bulk.AllOption = False,
        source: options.SourceOption = None,
        event: options.EventOption = None,
        entity: options.EntityOption = None,
        phone: options.PhoneOption = None,
        email: options.EmailOption = None,
        sink: options.SinkOption = None,
        route: options.RouteOption = None,
        state: options.DeliveryStateOption = None,
        reason: options.ReasonOption = None,
        cause: options.CauseOption = None,
        text: options.TextOption = None,
        since: options.SinceOption = None,
        until: options.UntilOption = None,
        render: RenderOption = False,
        to: ToOption = "",
        dry_run: bulk.DryRunOption = False,
        yes: bulk.YesOption = False,
        wait: bulk.WaitOption = False,
        rate: bulk.RateOption = DEFAULT_RATE,
        by: ByOption = None,
        why: WhyOption = "",
        json: options.JsonOption = False,
    ) -> None:
        filters = options.event_filter(
            source=source, event=event, entity=entity, sink=sink, route=route, state=state or only, reason=reason,
            since=since, until=until, limit=1, after=None, cause=cause, phone=phone,
            email=email, text=text,
        )  # fmt: skip
        narrowed = filters != options.no_filter(state=only)
        bulk.check_choice(ids, every=every, narrowed=narrowed)
        if ids:
            _act_on_ids(ids, Act.RENDER if render else act, to, author(by, why), json=json)
            return
        how = bulk.BulkOptions(dry_run=dry_run, sure=yes or narrowed, ask=not yes, wait=wait, json=json)
        bulk.run(Act.RENDER if render else act, filters, author(by, why), how, rate=rate, to=to)

    left_out = {"render"} - ({"render"} if act is Act.RESEND else set())
    left_out |= {"to"} - ({"to"} if act is Act.MOVE else set())
    return _without(command, left_out | ({"state"} if only else set()), act)


def _without(command: Callable[..., None], left_out: set[str], act: Act) -> Callable[..., None]:
    """Take options off a command, and give it the help of its act. What it moves to must be said."""
    signature = inspect.signature(command)
    parameters = [
        parameter.replace(default=inspect.Parameter.empty) if name == "to" else parameter
        for name, parameter in signature.parameters.items()
        if name not in left_out
    ]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # Typer reads it
    command.__doc__ = _HELP[act]
    return command


def _act_on_ids(ids: Sequence[str], act: Act, to: str, by: Author, *, json: bool) -> None:
    from relay.operations.acts import TodaysActs, act_on_deliveries

    if act not in (Act.RENDER, Act.MOVE):
        _print_results(with_store(lambda store: act_on_deliveries(store, ids, act, by)), json=json)
        return
    from relay.cli.context.configuration import load_config

    config = load_config()

    async def run(store: "Store", reader: "Reader") -> list["ActResult"]:
        todays = TodaysActs(store, reader, config)
        return [await (todays.move(id, to, by) if act is Act.MOVE else todays.render(id, by)) for id in ids]

    _print_results(with_store_and_reader(run), json=json)


def _print_results(results: Sequence["ActResult"], *, json: bool) -> None:
    if json:
        print_json(results)
    for result in () if json else results:
        print_message(f"{result.id}: {result.message}", error=not result.done)
    if not all(result.done for result in results):
        raise typer.Exit(1)
