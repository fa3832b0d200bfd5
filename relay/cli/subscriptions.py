"""`relay subscriptions`: the applications that are sent events; the same records as the amoCRM-compatible API's."""

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import typer

from relay.cli import options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.completion import complete_sources
from relay.cli.context.store import with_store
from relay.cli.display.output import print_json, print_lines, print_message, print_table
from relay.model import Subscription
from relay.timefmt import format_time

if TYPE_CHECKING:  # the list needs neither configuration nor calls
    from relay.web.subscriptions.operator_acts import OperatorActs, SampleAnswer

app = typer.Typer(
    name="subscriptions", help="List and change which applications are sent events.", no_args_is_help=True
)
COLUMNS = ("id", "source", "state", "since", "by", "name", "url", "events")
SubscriptionId: TypeAlias = Annotated[int, typer.Argument(metavar="SUBSCRIPTION_ID", show_default=False)]
EventOptions: TypeAlias = Annotated[list[str], typer.Option("--event", help="An event, as add_lead; may be repeated.")]
OnlyEventOptions: TypeAlias = Annotated[
    list[str] | None, typer.Option("--event", help="Only this event; may be repeated.")
]
T = TypeVar("T")


@app.command("list")
def list_subscriptions(
    source: options.SourceOption = None, json: options.JsonOption = False, reveal: options.RevealOption = False
) -> None:
    """List subscriptions, also those to sources that are no longer in the configuration."""
    listed = with_store(lambda store: store.subscriptions.list_all(source or ""))
    if json:
        print_json(listed, reveal=reveal)
    else:
        print_table(COLUMNS, map(_row, listed), reveal=reveal)


@app.command("add")
def add_subscription(
    url: Annotated[str, typer.Argument(help="The application's address.", show_default=False)],
    event: EventOptions,
    source: Annotated[
        str | None,
        typer.Option(help="Whose events; default: those of the only source.", autocompletion=complete_sources),
    ] = None,
    name: Annotated[str, typer.Option(help="What people call the application.")] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="To these events only, where it is subscribed already.")
    ] = False,
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Subscribe an address to events. Where it is subscribed already they are added, and it is enabled."""
    from relay.cli.context.configuration import choose_source, load_config

    config = load_config()
    account = choose_source(config.sources, source).name
    _print(_act(by, why, lambda acts: acts.subscribe(config, account, url, event, name, replace=replace)), json)


@app.command("remove")
def remove_subscription(
    id: SubscriptionId,
    event: OnlyEventOptions = None,
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Remove a subscription, or with --event only those events of it."""
    left = _act(by, why, lambda acts: acts.unsubscribe(id, event or []))
    if left is not None:
        _print(left, json)
    elif json:
        print_json(None)
    else:
        print_lines([f"{id} is removed"])


@app.command("enable")
def enable_subscription(
    id: SubscriptionId, by: ByOption = None, why: WhyOption = "", json: options.JsonOption = False
) -> None:
    """Enable a subscription that was disabled. Deliveries that wait for it are then sent."""
    _print(_act(by, why, lambda acts: acts.enable(id)), json)


@app.command("disable")
def disable_subscription(
    id: SubscriptionId, by: ByOption = None, why: WhyOption = "", json: options.JsonOption = False
) -> None:
    """Send a subscription nothing until it is enabled. Its deliveries wait."""
    _print(_act(by, why, lambda acts: acts.disable(id)), json)


@app.command("test")
def send_sample(
    id: SubscriptionId,
    event: Annotated[str, typer.Option(help="The event; default: the first one of the subscription.")] = "",
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Send an application a made-up event at once, and show its answer. Exits with status 1 where it is no success."""
    from relay.cli.context.configuration import load_config
    from relay.cli.context.environment import load_settings

    settings, config = load_settings(), load_config()
    tested = _act(by, why, lambda acts: acts.test(config, id, event, settings.proxies))
    if json:
        print_json(tested)
    else:
        print_lines(_format_test(tested))
    if not tested.delivered:
        raise typer.Exit(1)


def _format_test(tested: "SampleAnswer") -> Iterator[str]:
    yield f"{tested.event}: {tested.reason} after {tested.took_ms} ms"
    if tested.answer:
        yield tested.answer


@app.command("token")
def print_token(
    login: Annotated[str, typer.Argument(metavar="LOGIN", help="Of a user in api_users.", show_default=False)],
    expires_in: Annotated[str, typer.Option(help="From 1d to 1826d, which are five years.")] = "365d",
    json: options.JsonOption = False,
) -> None:
    """Print a token in the form of a JWT, for a client library that accepts no other.

    It may do what the user's own token may, and ends earlier where that is changed.
    """
    from relay.cli.context.configuration import load_config
    from relay.web.subscriptions.minting import mint_token, parse_lifetime

    users = load_config().api_users
    try:
        seconds = parse_lifetime(expires_in)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--expires-in") from error
    minted = mint_token(users, login, seconds, int(time.time()))
    if json:
        print_json(minted, reveal=True)
        return
    print_message(minted.token)
    end = f"until {format_time(minted.until)} or until the user's token changes"
    print_message(f"of {login}, for the account {minted.source}, {end}", error=True)


def _act(by: str | None, why: str, work: Callable[["OperatorActs"], Awaitable[T]]) -> T:
    from relay.web.subscriptions.operator_acts import OperatorActs

    who = author(by, why)
    return with_store(lambda store: work(OperatorActs(store.subscriptions, store.acts, who)))


def _print(subscription: Subscription, json: bool) -> None:
    if json:
        print_json(subscription)
    else:
        print_table(COLUMNS, [_row(subscription)])


def _row(subscription: Subscription) -> tuple[object, ...]:
    return (
        subscription.id,
        subscription.source,
        f"disabled: {subscription.disabled_reason}" if subscription.disabled else "on",
        format_time(subscription.created_at),
        subscription.created_by or "operator",
        subscription.name,
        subscription.url,
        " ".join(sorted(subscription.events)),
    )
