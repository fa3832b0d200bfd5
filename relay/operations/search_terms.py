"""Read what people type into a search box: `lead:25399013 sink:sms state:held since:2h`, an id, or a text. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from relay.amocrm.event_names import ENTITIES
from relay.config.suggestions import did_you_mean
from relay.model import DeliveryState, ReceiptState, Record
from relay.operations.search import EventFilter, parse_cursor
from relay.timefmt import parse_time

STATES: Final = (*dict.fromkeys([*ReceiptState, *DeliveryState]),)
_OWN: Final = ("source", "event", "route", "sink", "state", "reason", "cause", "since", "until")
_TERM: Final = re.compile(r'(?:([a-z_]+):)?(?:"([^"]*)"|(\S+))')
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?:\.\d{1,6})?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)


class SearchTerms(Record):
    """What a search means. `text`: to be found in bodies; `id`: it is one of the store's own.

    `problems`: what is wrong with it. `entity` of the filter has no kind where only a number was given: it is any.
    """

    filter: EventFilter
    text: str = ""
    id: str = ""
    problems: Sequence[str] = ()


def read_terms(typed: str, now: int, limit: int) -> SearchTerms:
    """Read a search. `now`: the time from which "2h" counts back."""
    filters, texts, problems = EventFilter(limit=limit), list[str](), list[str]()
    if _ID.fullmatch(typed.strip().lower()):
        return SearchTerms(filter=filters, id=typed.strip().lower())
    for name, quoted, plain in _TERM.findall(typed):
        value = quoted or plain
        try:
            changed = _apply(filters, name, value, now)
        except ValueError as error:
            problems.append(f"{name}:{value}: {error}")
            continue
        if changed is None:
            texts.append(f"{name}:{value}" if name else value)
        else:
            filters = changed
    return SearchTerms(filter=filters, text=" ".join(texts), problems=problems)


def _apply(filters: EventFilter, name: str, value: str, now: int) -> EventFilter | None:
    """Return a filter with one more term; None where the term is a text. Raises ValueError."""
    if not name:
        return replace(filters, entity=("", value)) if _NUMBER.fullmatch(value) else None
    if name in ENTITIES:
        return replace(filters, entity=(name, value))
    if name not in _OWN:
        return None
    if name in ("since", "until"):
        return replace(filters, **{name: parse_time(value, now)})
    if name == "state" and value not in STATES:
        raise ValueError(f"nothing is in such a state, {did_you_mean(value, STATES)}")
    return replace(filters, **{name: value})


def with_cursor(filters: EventFilter, after: str) -> EventFilter:
    """Return a filter that goes on where a list stopped. Raises ValueError."""
    return replace(filters, after=parse_cursor(after)) if after else filters
