"""Format a person's passport. Pure."""

from collections.abc import Iterator, Mapping

from relay.operations.passport import Passport, PassportDelivery, PassportEvent
from relay.timefmt import format_time


def format_passport(passport: Passport) -> Iterator[str]:
    """Format a passport in lines."""
    yield f"{passport.person}, as the store has it at {format_time(passport.at)}"
    if passport.contacts:
        yield f"  contacts in the account: {', '.join(passport.contacts)}"
    for event in passport.events:
        yield from _event(event)
    for id in passport.unreadable:
        yield f"hook {id}, which could not be read, speaks of them"
    if not passport.events and not passport.unreadable:
        yield "nothing was found"
    how = "the index of people" if passport.found_by == "index" else "looking through all hooks"
    yield f"found by {how}, looked at {passport.looked:,} of {passport.total:,}"
    yield "not in it:"
    for line in passport.not_covered:
        yield f"  {line}"


def _event(event: PassportEvent) -> Iterator[str]:
    about = f" of {event.entity} {event.entity_id}" if event.entity_id else ""
    yield f"{format_time(event.received_at)}  {event.event}{about}, from {event.source}  {event.id}"
    yield from _fields(event.fields)
    for delivery in event.deliveries:
        yield from _delivery(delivery)


def _delivery(delivery: PassportDelivery) -> Iterator[str]:
    ended = "" if delivery.finished_at is None else f" at {format_time(delivery.finished_at)}"
    yield f"  to {delivery.sink} by {delivery.route}: {delivery.state}{ended}  {delivery.id}"
    yield from (f"  {line}" for line in _fields(delivery.fields))


def _fields(fields: Mapping[str, str]) -> Iterator[str]:
    for name, text in fields.items():
        yield f"  {name}: {text}"
