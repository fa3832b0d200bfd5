"""What a person does to single deliveries: commands of `relay deliveries`, and of `relay dead`."""

import getpass
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from relay.cli.context.store import with_store, with_store_and_reader
from relay.cli.display.output import print_message
from relay.store.acts import Act, Author

if TYPE_CHECKING:  # lists of deliveries import this module, and none of what decides
    from relay.operations.acts import ActResult
    from relay.store.reader import Reader
    from relay.store.store import Store

DeliveryIds: TypeAlias = Annotated[list[str], typer.Argument(metavar="DELIVERY_ID…", show_default=False)]
ByOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Who acts; stories and `relay audit` show it.", show_default="your user name")
]
WhyOption: TypeAlias = Annotated[str, typer.Option(help="Why; kept beside who.", show_default=False)]


def author(by: str | None, why: str) -> Author:
    """Return who acts: the user of this process, where nobody else is named."""
    return Author(by=by or getpass.getuser(), why=why)


def retry(ids: DeliveryIds, by: ByOption = None, why: WhyOption = "") -> None:
    """Make pending deliveries due now instead of at their next attempt."""
    _act(ids, Act.RETRY, author(by, why))


def cancel(ids: DeliveryIds, by: ByOption = None, why: WhyOption = "") -> None:
    """Give up pending, held or dead deliveries. What is in flight may still arrive, and is not sent again."""
    _act(ids, Act.CANCEL, author(by, why))


def confirm(ids: DeliveryIds, by: ByOption = None, why: WhyOption = "") -> None:
    """Settle held deliveries as delivered, after you have checked that they arrived."""
    _act(ids, Act.CONFIRM, author(by, why))


def resend(
    ids: DeliveryIds,
    render: Annotated[
        bool, typer.Option("--render", help="With what today's routes make of the event, under a new idempotency key.")
    ] = False,
    by: ByOption = None,
    why: WhyOption = "",
) -> None:
    """Send held, dead, cancelled or skipped deliveries again. Check first that held ones have not arrived."""
    if not render:
        _act(ids, Act.RESEND, author(by, why))
        return
    from relay.cli.context.configuration import load_config
    from relay.operations.acts import TodaysActs

    config, who = load_config(), author(by, why)

    async def render_all(store: "Store", reader: "Reader") -> list["ActResult"]:
        todays = TodaysActs(store, reader, config)
        return [await todays.render(id, who) for id in ids]

    _print_results(with_store_and_reader(render_all))


def move(
    ids: DeliveryIds,
    to: Annotated[str, typer.Option(help="A sink of the configuration, of the same type.", metavar="SINK")],
    by: ByOption = None,
    why: WhyOption = "",
) -> None:
    """Move pending, held or dead deliveries of a sink that left the configuration to one that it has."""
    from relay.cli.context.configuration import load_config
    from relay.operations.acts import TodaysActs

    config, who = load_config(), author(by, why)

    async def move_all(store: "Store", reader: "Reader") -> list["ActResult"]:
        todays = TodaysActs(store, reader, config)
        return [await todays.move(id, to, who) for id in ids]

    _print_results(with_store_and_reader(move_all))


def _act(ids: list[str], act: Act, by: Author) -> None:
    from relay.operations.acts import act_on_deliveries

    _print_results(with_store(lambda store: act_on_deliveries(store, ids, act, by)))


def _print_results(results: Sequence["ActResult"]) -> None:
    for result in results:
        print_message(f"{result.id}: {result.message}", error=not result.done)
    if not all(result.done for result in results):
        raise typer.Exit(1)
