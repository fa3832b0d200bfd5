"""Read what people type into a search box: `lead:25399013 sink:sms state:held since:2h`, an id, or a text. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from relay.amocrm.event_names import ENTITIES
from relay.config.suggestions import did_you_mean
from relay.model import DeliveryState, ReceiptState, Record
from relay.operations.people_keys import NEEDS_KEY, PeopleKey
from relay.operations.search import EventFilter, parse_cursor
from relay.timefmt import parse_time

STATES: Final = (*dict.fromkeys([*ReceiptState, *DeliveryState]),)
_OWN: Final = ("source", "event", "route", "sink", "state", "reason", "cause", "since", "until")
_TERM: Final = re.compile(r'(?:([a-z_]+):)?(?:"([^"]*)"|(\S+))')
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?:\.\d{1,6})?", re.ASCII)
_PEOPLE: Final = ("phone", "email")
_PERSON: Final = re.compile(
    r"[^@\s]+@[^@\s]+\.[^@\s]+|\+[\d()-]{7,}"
)  # a word that is an address, or a number with a plus
_NUMBER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)


class SearchTerms(Record):
    """What a search means. `id`: it is one of the store's own.

    `problems`: what is wrong with it. `entity` of the filter has no kind where only a number was given: it is any.
    """

    filter: EventFilter
    id: str = ""
    problems: Sequence[str] = ()

    @property
    def text(self) -> str:
        """Return what is to be found in bodies."""
        return self.filter.text


def read_terms(typed: str, now: int, limit: int, key: PeopleKey | None = None) -> SearchTerms:
    """Read a search. `now`: from which "2h" counts back; `key`: by which people are found, where there is one."""
    filters, texts, problems = EventFilter(limit=limit), list[str](), list[str]()
    if _ID.fullmatch(typed.strip().lower()):
        return SearchTerms(filter=filters, id=typed.strip().lower())
    for name, quoted, plain in _TERM.findall(typed):
        value = quoted or plain
        try:
            changed = _apply(filters, name, value, now, key)
        except ValueError as error:
            problems.append(f"{name}:{value}: {error}" if name not in ("", *_PEOPLE) else str(error))
            continue
        if changed is None:
            texts.append(f"{name}:{value}" if name else value)
        else:
            filters = changed
    return SearchTerms(filter=replace(filters, text=" ".join(texts)), problems=problems)


def _apply(filters: EventFilter, name: str, value: str, now: int, key: PeopleKey | None) -> EventFilter | None:
    """Return a filter with one more term; None where the term is a text. Raises ValueError."""
    if name in _PEOPLE or (not name and _PERSON.fullmatch(value)):
        if key is None:
            raise ValueError(NEEDS_KEY)
        is_email = name == "email" or (not name and "@" in value)
        return replace(filters, person=key.hash_email(value) if is_email else key.hash_phone(value))
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
