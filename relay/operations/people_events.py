"""Find who events and texts speak of, by keyed hashes. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from relay.amocrm.contact_details import NESTED_READERS
from relay.errors import Malformed
from relay.events import decode_events
from relay.masking import add_names
from relay.model import Event, Json, Receipt, Record
from relay.operations.people_keys import PeopleKey

_DIGITS: Final = re.compile(r"\d{7,20}", re.ASCII)
# What tasks, notes and messages say that they belong to, in hooks and in API v4.
_KINDS: Final[Mapping[str, str]] = {
    "1": "contact", "contact": "contact", "contacts": "contact", "2": "lead", "lead": "lead", "leads": "lead",
}  # fmt: skip
_LINKS: Final = (("element_type", "element_id"), ("entity_type", "entity_id"))


def events_of_receipt(receipt: Receipt) -> Sequence[Event]:
    """Return the events of a receipt; none where its body cannot be read."""
    try:
        return decode_events(receipt)[1]
    except Malformed:
        return ()


def add_names_of(receipt: Receipt) -> None:
    """Have the names of the people whom a receipt is about masked in what is shown. Of them its events know."""
    for event in events_of_receipt(receipt):
        add_names_in(event)


def add_names_in(event: Event) -> None:
    """Do the same for an event."""
    add_names({event.entity: cast("Json", event.data)})
    if event.original is not None:
        add_names_in(event.original)


def hashes_of_event(event: Event, key: PeopleKey) -> Iterator[str]:
    """Yield the hash of everybody whom an event speaks of."""
    yield from key.hashes_in("\n".join(texts_of(event.data)))
    yield from own_hashes(event, key)
    if event.original is not None:
        yield from hashes_of_event(event.original, key)


def own_hashes(event: Event, key: PeopleKey) -> Iterator[str]:
    """Yield the hashes of the numbers and addresses that amoCRM lists as those of the event's contact or company."""
    for field, hash in (("phones", key.hash_phone), ("emails", key.hash_email)):
        found = NESTED_READERS[field](event.data)
        for text in found if isinstance(found, list) else ():
            try:
                yield hash(str(text))
            except ValueError:  # people write all kinds of things there
                continue


def texts_of(value: object) -> Iterator[str]:
    """Yield every text within a nested value."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from texts_of(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts_of(one)
    elif isinstance(value, str):
        yield value


class Person(Record):
    """Somebody, as the store knows them: keyed hashes of numbers and addresses, and leads and contacts of accounts.

    `entities`: the source, "" for any, the kind and the id of each.
    """

    hashes: frozenset[str] = frozenset()
    entities: frozenset[tuple[str, str, str]] = frozenset()


class PersonMatch:
    """Tells whether events and texts speak of a person."""

    def __init__(self, person: Person, key: PeopleKey) -> None:
        self._person = person
        self._key = key

    def is_in_text(self, text: str) -> bool:
        """Return whether a text has a number or an address of theirs, however it is written."""
        wanted = self._person.hashes
        if not wanted:
            return False
        if not wanted.isdisjoint(self._key.hashes_in(text)):
            return True
        # Digits that look like no telephone's are one where somebody knows them.
        return any(self._key.hash_phone(digits) in wanted for digits in set(_DIGITS.findall(text)))

    def is_in_event(self, event: Event) -> bool:
        """Return whether an event is about them, or speaks of them."""
        if any(self.is_entity(event.source, *one) for one in _entities_of(event)):
            return True
        if event.original is not None and self.is_in_event(event.original):
            return True
        return not self._person.hashes.isdisjoint(own_hashes(event, self._key)) or self.is_in_text(
            "\n".join(texts_of(event.data))
        )

    def is_own(self, event: Event) -> bool:
        """Return whether an event is about a contact or lead of theirs."""
        if self.is_entity(event.source, event.entity, event.entity_id):
            return True
        return event.entity == "contact" and not self._person.hashes.isdisjoint(own_hashes(event, self._key))

    def is_entity(self, source: str, entity: str, id: str) -> bool:
        """Return whether a lead or contact is one of theirs."""
        return not self._person.entities.isdisjoint({(source, entity, id), ("", entity, id)})

    def entities_of(self, source: str) -> Iterator[tuple[str, str]]:
        """Yield kind and id of their contacts and leads in the account of a source."""
        return ((kind, id) for of, kind, id in self._person.entities if of in ("", source))


def _entities_of(event: Event) -> Iterator[tuple[str, str]]:
    """Yield the entity that an event is about, and those that it says that belongs to."""
    yield event.entity, event.entity_id
    data = event.data
    for kind, id in _LINKS:
        if (entity := _KINDS.get(str(data.get(kind)))) is not None:
            yield entity, str(data.get(id))
    if "contact_id" in data:
        yield "contact", str(data["contact_id"])
