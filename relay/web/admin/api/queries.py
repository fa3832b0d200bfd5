"""The parameters that lists take: the filters of the command line, by the same names."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

from relay import timefmt
from relay.amocrm.event_names import ENTITIES
from relay.config.suggestions import did_you_mean
from relay.model import DeliveryState, ReceiptState, Record
from relay.operations.people_keys import hash_person
from relay.operations.search import MOST_LISTED, EventFilter, FoundPage, format_cursor, parse_cursor
from relay.secret import SecretStr
from relay.store.wire.lists import Cursor
from relay.web.admin.api.operation import BAD_REQUEST, ApiFailure

T = TypeVar("T")
Time: TypeAlias = Annotated[
    str, msgspec.Meta(description="2h (ago), or 2026-11-23T14:30, in the relay's time unless +03:00 is behind it.")
]
Limit: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=MOST_LISTED, description="At most so many.")]
After: TypeAlias = Annotated[str, msgspec.Meta(description="Go on where an earlier list stopped: its `next`.")]
Ids: TypeAlias = Annotated[
    Sequence[Annotated[str, msgspec.Meta(min_length=1, max_length=200)]],
    msgspec.Meta(min_length=1, max_length=MOST_LISTED, description="Ids of deliveries."),
]
Entity: TypeAlias = Annotated[str, msgspec.Meta(description="Only about this lead, contact…: lead:123.")]
Phone: TypeAlias = Annotated[str, msgspec.Meta(description="Only about this number, in any spelling.")]
Email: TypeAlias = Annotated[str, msgspec.Meta(description="Only about this address.")]
Text: TypeAlias = Annotated[
    str, msgspec.Meta(description="Only with this text in the hook; it is looked for in steps, go on from `next`.")
]
Cause: TypeAlias = Annotated[str, msgspec.Meta(description="Only held or dead for this cause, of `/failures`.")]


class Reveal(Record):
    """Whether people are shown unmasked, which the audit records: by whom and why."""

    reveal: bool = False
    by: str = ""
    why: str = ""


class _ListQuery(Reveal):
    source: str = ""
    event: str = ""
    entity: Entity = ""
    sink: str = ""
    route: str = ""
    reason: Annotated[str, msgspec.Meta(description="A part of it.")] = ""
    phone: Phone = ""
    email: Email = ""
    text: Text = ""
    since: Time = ""
    until: Time = ""
    limit: Limit = 20
    after: After = ""


class EventQuery(_ListQuery):
    """Which events to list."""

    state: ReceiptState | None = None


class DeliveryQuery(_ListQuery):
    """Which deliveries to list."""

    state: DeliveryState | None = None
    cause: Cause = ""


class EndedQuery(_ListQuery):
    """Which held or dead deliveries to list."""

    cause: Cause = ""


def event_filter(query: _ListQuery, state: str | None, secret_key: SecretStr | None) -> EventFilter:
    """Return the filter that the parameters of a list describe. Raises ApiFailure."""
    return EventFilter(
        person=read_person(query.phone, query.email, secret_key),
        source=query.source,
        event=query.event,
        entity=read_entity(query.entity),
        sink=query.sink,
        state=state or "",
        route=query.route,
        reason=query.reason,
        cause=getattr(query, "cause", ""),
        text=query.text,
        since=read_time(query.since, "since"),
        until=read_time(query.until, "until"),
        limit=query.limit,
        after=read_cursor(query.after),
    )


def read_person(phone: str, email: str, secret_key: SecretStr | None) -> str:
    """Return what the index knows a person by; empty where none is given. Raises ApiFailure."""
    try:
        return hash_person(secret_key, phone, email)
    except ValueError as error:
        raise ApiFailure(BAD_REQUEST, f"{'phone' if phone else 'email'}: {error}") from error


def read_cursor(text: str) -> Cursor | None:
    """Return where a list goes on; None where it begins. Raises ApiFailure."""
    return _read(parse_cursor, text, "after") if text else None


def next_of(page: FoundPage[Any]) -> str | None:
    """Return where a list goes on."""
    return None if page.next is None else format_cursor(page.next)


def read_entity(text: str) -> tuple[str, str] | None:
    """Return the entity and id that a parameter means; None where it is empty. Raises ApiFailure."""
    if not text:
        return None
    entity, _, id = text.partition(":")
    if not entity or not id:
        raise ApiFailure(BAD_REQUEST, f"entity: {text[:60]!r} is not an entity: write lead:123 or contact:456")
    if entity not in ENTITIES:
        raise ApiFailure(BAD_REQUEST, f"entity: nothing is called {entity[:60]!r}, {did_you_mean(entity, ENTITIES)}")
    return entity, id


def read_time(text: str, name: str) -> int | None:
    """Return the time that a parameter means (epoch milliseconds); None where it is empty. Raises ApiFailure."""
    return _read(lambda one: timefmt.parse_time(one, _now()), text, name) if text else None


def read_end(text: str, name: str) -> int | None:
    """Return the time to come that a parameter means (epoch milliseconds); None where it is empty."""
    return _read(lambda one: timefmt.parse_end(one, _now()), text, name) if text else None


def _now() -> int:
    return time.time_ns() // 1_000_000


def _read(parse: Callable[[str], T], text: str, name: str) -> T:
    try:
        return parse(text)
    except (ValueError, OverflowError) as error:
        raise ApiFailure(BAD_REQUEST, f"{name}: {error}") from error
