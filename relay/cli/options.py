"""The options that several commands share, described once."""

import time
from typing import Annotated, TypeAlias

import typer

from relay.cli.search import EventFilter
from relay.cli.timefmt import parse_time
from relay.model import DeliveryState, ReceiptState


def _moment(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    try:
        return parse_time(text, time.time_ns() // 1_000_000)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _entity(text: str) -> tuple[str, str]:
    entity, colon, id = text.partition(":")
    if not colon or not entity or not id:
        raise typer.BadParameter(f"{text!r} is no entity: write lead:123 or contact:456", param_hint="--entity")
    return entity, id


Json: TypeAlias = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Reveal: TypeAlias = Annotated[bool, typer.Option("--reveal", help="Show e-mail addresses and phone numbers.")]
Source: TypeAlias = Annotated[str | None, typer.Option(help="Of this source only.")]
EventName: TypeAlias = Annotated[str | None, typer.Option("--event", help="Of this name: status_lead, add_contact…")]
Sink: TypeAlias = Annotated[str | None, typer.Option(help="With deliveries to this sink.")]
EventState: TypeAlias = Annotated[ReceiptState | None, typer.Option("--state", help="In this state.")]
StateOfDelivery: TypeAlias = Annotated[DeliveryState | None, typer.Option("--state", help="In this state.")]
Limit: TypeAlias = Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")]
Entity: TypeAlias = Annotated[str | None, typer.Option(help="About one lead, contact…: lead:123.", metavar="ENTITY:ID")]
Since: TypeAlias = Annotated[str | None, typer.Option(help="Arrived since: 2h (ago), or 2026-11-23T14:30.")]
Until: TypeAlias = Annotated[str | None, typer.Option(help="Arrived until.")]


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
) -> EventFilter:
    """Read the filters as they were given. Raises BadParameter."""
    return EventFilter(
        source=source,
        event=event,
        entity=_entity(entity) if entity else None,
        sink=sink,
        state=state,
        since=_moment(since, "--since"),
        until=_moment(until, "--until"),
        limit=limit,
    )
