"""Options and arguments that several commands share."""

from collections.abc import Callable, Collection
from typing import Annotated, TypeAlias

import typer

from relay import timefmt
from relay.amocrm.event_names import ENTITIES
from relay.cli.completion import complete_events, complete_routes, complete_sinks, complete_sources
from relay.config.suggestions import did_you_mean
from relay.model import DeliveryState, ReceiptState
from relay.operations.search import MOST_LISTED, EventFilter, parse_cursor
from relay.store.wire.lists import Cursor

SourceArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A source that has an api.", autocompletion=complete_sources)
]
EventIdArgument: TypeAlias = Annotated[str, typer.Argument(metavar="EVENT_ID", help="An event's or a receipt's id.")]
DeliveryIdArgument: TypeAlias = Annotated[str, typer.Argument(metavar="DELIVERY_ID", show_default=False)]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
RevealOption: TypeAlias = Annotated[
    bool, typer.Option("--reveal", help="Show e-mail addresses and phone numbers unmasked.")
]
SourceOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Only of this source.", autocompletion=complete_sources)
]
EventOption: TypeAlias = Annotated[
    str | None, typer.Option("--event", help="Only this one: status_lead, add_task…", autocompletion=complete_events)
]
EntityOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Only about this lead, contact…: lead:123.", metavar="ENTITY:ID")
]
SinkOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Only with deliveries to this sink.", autocompletion=complete_sinks)
]
ReceiptStateOption: TypeAlias = Annotated[ReceiptState | None, typer.Option("--state", help="Only in this state.")]
DeliveryStateOption: TypeAlias = Annotated[DeliveryState | None, typer.Option("--state", help="Only in this state.")]
RouteOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Only with deliveries of this route.", autocompletion=complete_routes)
]
ReasonOption: TypeAlias = Annotated[str | None, typer.Option(help="Only with this in the reason.")]
CauseOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="CAUSE", help="Only held or dead for this cause: `relay sinks failures` has them.")
]
PhoneOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Only about this phone number, in any spelling. Needs RELAY_SECRET_KEY.")
]
EmailOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Only about this e-mail address. Needs RELAY_SECRET_KEY.")
]
TextOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Only with this text in the hook. It is looked through in steps: go on from there.")
]
SinceOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Only what arrived since then: 2h (ago), or 2026-11-23T14:30, local unless +03:00 is behind it."),
]
UntilOption: TypeAlias = Annotated[str | None, typer.Option(help="Only what arrived until then.")]
TakeOverOption: TypeAlias = Annotated[
    bool, typer.Option("--take-over", help="Use the store although it has served other sources than the file names.")
]
LimitOption: TypeAlias = Annotated[int, typer.Option(min=1, help=f"At most so many, and never over {MOST_LISTED}.")]
AfterOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="CURSOR", help="Go on where an earlier list stopped: it says where that was.")
]


def event_filter(
    *,
    source: str | None,
    event: str | None,
    entity: str | None,
    sink: str | None,
    state: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    after: str | None,
    cause: str | None = None,
    phone: str | None = None,
    email: str | None = None,
    route: str | None = None,
    reason: str | None = None,
    text: str | None = None,
) -> EventFilter:
    """Return the filter that the options of a list describe. Raises BadParameter."""
    return EventFilter(
        source=source or "",
        event=event or "",
        entity=None if entity is None else _parse_entity(entity),
        sink=sink or "",
        state=state or "",
        cause=cause or "",
        route=route or "",
        reason=reason or "",
        text=text or "",
        person=_hash_person(phone, email),
        since=None if since is None else parse_time(since, "--since"),
        until=None if until is None else parse_time(until, "--until"),
        limit=limit,
        after=None if after is None else parse_cursor_option(after),
    )


def no_filter(state: str | None) -> EventFilter:
    """Return the filter of a list without options, of a group whose deliveries are all in one state or none."""
    return EventFilter(state=state or "", limit=1)


def check_name(option: str, name: str | None, names: Collection[str]) -> None:
    """Raise BadParameter where an option names what the configuration does not have."""
    if name is not None and name not in names:
        raise typer.BadParameter(f"the configuration has no {name}, {did_you_mean(name, names)}", param_hint=option)


def parse_time(text: str, option: str) -> int:
    """Return the time that an option means, in epoch milliseconds; "2h" by the store's clock. Raises BadParameter."""
    return _parse_time(timefmt.parse_time, text, option)


def parse_end(text: str, option: str) -> int:
    """Return the time to come that an option means, in epoch milliseconds. Raises BadParameter."""
    return _parse_time(timefmt.parse_end, text, option)


def _parse_time(parse: Callable[[str, int], int], text: str, option: str) -> int:
    from relay.cli.context.store import read_store_time  # it loads the store's client, and few options name a time

    try:
        parse(text, 0)  # what cannot be read is told without a store, too
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
    return parse(text, read_store_time())


def _parse_entity(text: str) -> tuple[str, str]:
    entity, colon, id = text.partition(":")
    if not colon or not entity or not id:
        raise typer.BadParameter(f"{text!r} is not an entity: write lead:123 or contact:456", param_hint="--entity")
    if entity not in ENTITIES:
        hint = f"nothing is called {entity!r}, {did_you_mean(entity, ENTITIES)}"
        raise typer.BadParameter(hint, param_hint="--entity")
    return entity, id


def _hash_person(phone: str | None, email: str | None) -> str:
    if not phone and not email:
        return ""
    from relay.cli.context.environment import load_settings
    from relay.operations.people_keys import hash_person

    try:
        return hash_person(load_settings().secret_key, phone or "", email or "")
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--phone" if phone else "--email") from error


def parse_cursor_option(text: str) -> Cursor:
    """Return where a list goes on. Raises BadParameter."""
    try:
        return parse_cursor(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--after") from error
