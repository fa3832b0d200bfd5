"""Format a person's passport, and what an erasure would take out. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from relay.operations.erasing import ErasurePreview
from relay.operations.erasures import ErasureRecord
from relay.operations.passport import Passport
from relay.operations.shard_passport import PassportDelivery, PassportEvent
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


def format_erasure(preview: ErasurePreview) -> Iterator[str]:
    """Format what an erasure would take out, in lines."""
    yield f"{preview.person} would be taken out of"
    yield f"  {preview.events:>6} event(s) and their hooks"
    if preview.unreadable:
        yield f"  {preview.unreadable:>6} hook(s) that could not be read, with all that is in them"
    for state, n in sorted(preview.deliveries.items()):
        ends = ": cancelled first" if state in ("pending", "held", "dead") else ""
        yield f"  {n:>6} {state} deliveries{ends}"
    if preview.contacts:
        yield f"  with contacts {', '.join(preview.contacts)}, their numbers and addresses"
    if preview.sinks:
        yield f"  sinks that were to have it: {', '.join(preview.sinks)}"
    if preview.gone:
        yield (
            f"  in no configuration any more: {', '.join(preview.gone)}; put them back into the file first, and they "
            "are asked where they can be, else tell them yourself"
        )
    if not preview.complete:
        yield f"  so far: looked at {preview.looked:,} of {preview.total:,} hooks, the rest is looked through too"
    yield "it cannot be undone, and backups keep the person"


def format_erasures(erasures: Sequence[ErasureRecord]) -> Iterator[str]:
    """Format the record of erasures in lines."""
    if not erasures:
        yield "nobody was erased; what has ended is kept as long as a dead letter"
    for one in erasures:
        why = f": {one.why}" if one.why else ""
        yield f"{format_time(one.started_at)}  {one.person}, by {one.by}{why}  action {one.id}"
        ended = "" if one.ended_at is None else f" at {format_time(one.ended_at)}"
        yield f"  {one.state}{ended}" + (f"; waits: {one.waits}" if one.waits else "")
        if one.problem:
            yield f"  {one.problem}"
        for sink in one.asked:
            reason = f": {sink.reason}" if sink.reason else ""
            yield f"  asked {sink.sink}: {sink.state or 'removed by retention'}{reason}  {sink.delivery}"
        for name, n in sorted(one.not_asked.items()):
            why = "is in no configuration any more" if name in one.gone else "cannot be asked"
            yield f"  not asked {name}, which was sent {n} and {why}: that is to be done there"


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
