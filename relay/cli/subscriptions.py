"""`relay subscriptions`: which applications are sent events; the same records as the amoCRM-compatible API's."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias, TypeVar

import typer

from relay.cli import options
from relay.cli.context import config, settings, with_reader
from relay.cli.output import print_json, print_lines, print_table
from relay.cli.sources import source_of
from relay.cli.timefmt import format_time
from relay.errors import RelayError
from relay.model import Subscription
from relay.store.reader import Reader
from relay.store.subscriptions import Subscriptions
from relay.web.subscriptions.errors import format_faults
from relay.web.subscriptions.requests import SubscriptionRequest

app = typer.Typer(name="subscriptions", help="Applications that are sent events.", no_args_is_help=True)
COLUMNS = ("id", "source", "state", "since", "by", "name", "url", "events")
Events: TypeAlias = Annotated[list[str], typer.Option("--event", help="An event, as add_lead; may be repeated.")]
SomeEvents: TypeAlias = Annotated[list[str] | None, typer.Option("--event", help="Only this; may be repeated.")]
T = TypeVar("T")


@app.command("list")
def list_subscriptions(
    source: options.Source = None, json: options.Json = False, reveal: options.Reveal = False
) -> None:
    """List subscriptions, those of sources that left the configuration too."""

    async def read(subscriptions: Subscriptions) -> list[Subscription]:
        sources = [source] if source else await subscriptions.sources()
        return [one for name in sources for one in await subscriptions.list(name)]

    found = _doing(read)
    if json:
        print_json(found, reveal=reveal)
    else:
        print_table(COLUMNS, map(_row, found), reveal=reveal)


@app.command("add")
def add_subscription(
    url: str,
    event: Events,
    source: Annotated[str | None, typer.Option(help="Whose events; needed where there are several.")] = None,
    name: Annotated[str, typer.Option(help="What people call the application.")] = "",
    json: options.Json = False,
) -> None:
    """Send events to an address: further ones where it is subscribed, and again where it was disabled."""
    wanted, configured = SubscriptionRequest(url=url, events=event, name=name), config()
    if faults := [*wanted.url_faults(configured.subscribers.allow), *wanted.event_faults("--event")]:
        raise RelayError(format_faults(faults))
    whose = source_of(configured, source)
    made = _doing(lambda subscriptions: subscriptions.subscribe(whose, url, event, "", name))
    _tell(made, json)


@app.command("remove")
def remove_subscription(id: int, event: SomeEvents = None, json: options.Json = False) -> None:
    """Send no more events to an address, or with --event no more of those."""
    events = event or []
    if faults := SubscriptionRequest(url="", events=events).event_faults("--event"):
        raise RelayError(format_faults(faults))

    async def remove(subscriptions: Subscriptions) -> Subscription | None:
        found = await _known(subscriptions, id)
        await subscriptions.unsubscribe(found.source, found.url, events)
        return await subscriptions.get(id)

    left = _doing(remove)
    if left is not None or json:
        _tell(left, json)
    else:
        print_lines([f"{id} is removed"])


@app.command("enable")
def enable_subscription(id: int, json: options.Json = False) -> None:
    """Turn on again what was disabled after too many failures; what waits for it is sent then."""

    async def enable(subscriptions: Subscriptions) -> Subscription:
        await _known(subscriptions, id)
        await subscriptions.enable(id)
        return await _known(subscriptions, id)

    _tell(_doing(enable), json)


def _doing(work: Callable[[Subscriptions], Awaitable[T]]) -> T:
    namespace = settings().namespace

    async def with_subscriptions(reader: Reader) -> T:
        return await work(Subscriptions(reader.client, namespace))

    return with_reader(with_subscriptions)


async def _known(subscriptions: Subscriptions, id: int) -> Subscription:
    if found := await subscriptions.get(id):
        return found
    raise RelayError(f"no subscription {id}: `relay subscriptions list` shows all that there are")


def _tell(one: Subscription | None, json: bool) -> None:
    if json:
        print_json(one)
    elif one is not None:
        print_table(COLUMNS, [_row(one)])


def _row(one: Subscription) -> list[object]:
    state = f"disabled: {one.disabled_reason}" if one.disabled else "on"
    by = one.created_by or "operator"
    return [one.id, one.source, state, format_time(one.created_at), by, one.name, one.url, " ".join(sorted(one.events))]
