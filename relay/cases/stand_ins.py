"""Replace what is personal in the data of an event by stand-ins, each person always by the same. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from relay.masking.people import find_people
from relay.model import Json, Record, Value

Kind: TypeAlias = Literal["technical", "name", "phone", "free"]
Place: TypeAlias = tuple[str | int, ...]

_NAMES: Final = frozenset({"first_name", "last_name", "middle_name", "patronymic", "company_name", "from", "login"})
_NAMED: Final = frozenset({"author", "client", "contacts", "companies", "customers"})  # whose `name` is somebody's
_FIELD_LISTS: Final = frozenset(
    {"custom_fields", "custom_fields_values", "tags"}
)  # of whose items only values are free
_CODES_OF_PEOPLE: Final = ("EMAIL", "PHONE")
# Numbers and times, words of amoCRM's own, and ids: they say nothing of a person, and conditions read them.
_TECHNICAL = re.compile(
    r"[0-9]{0,12}|[0-9]{1,12}\.[0-9]{1,4}|[a-z_]{1,24}|[A-Z_]{1,24}|[0-9a-f-]{32,64}"
    r"|\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_REPLACED_DIGITS: Final = 7  # the last ones of a number: what is before them is a country and an operator
_SIGNIFICANT: Final = 10  # digits that tell a number, however its country is written


class Leaf(Record):
    """A text within the data of an event."""

    place: Place
    text: str
    kind: Kind


class StandIns:
    """Gives stand-ins, and remembers whose they are."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._texts: set[str] = set()

    @property
    def people(self) -> frozenset[str]:
        """Return the e-mail addresses and telephone numbers that were given, as they are found in a text."""
        return frozenset(person for text in self._texts for person in find_people(text))

    def learn(self, name: str) -> None:
        """Remember the words of somebody's name: they are replaced wherever they stand."""
        for word in _WORD.findall(name):
            self._stand_in("name", word.casefold(), "Name{}")

    def replace_people(self, text: str) -> str:
        """Return a text with stand-ins for addresses, numbers and the words of known names."""
        for person in dict.fromkeys(find_people(text)):
            stand_in = self._address(person) if "@" in person else self._number(person)
            self._texts.add(stand_in)
            text = text.replace(person, stand_in)
        return _WORD.sub(lambda word: self._given.get(("name", word[0].casefold()), word[0]), text)

    def replace_text(self, text: str) -> str:
        """Return a stand-in for a whole text."""
        return self._stand_in("text", text, "Text {}")

    def replace_number(self, text: str) -> str:
        """Return a text that is a telephone number with its last digits replaced, spelled as it was."""
        stand_in = self._number(text)
        self._texts.add(f"phone={stand_in}")
        return stand_in

    def _address(self, address: str) -> str:
        return self._stand_in("address", address.casefold(), "person{}@example.com")

    def _number(self, number: str) -> str:
        digits = re.sub(r"[^0-9]", "", number)
        serial = self._stand_in("number", digits[-_SIGNIFICANT:], "{}").zfill(_REPLACED_DIGITS)
        left = iter(reversed(serial))
        return "".join(reversed([next(left, sign) if sign.isdigit() else sign for sign in reversed(number)]))

    def _stand_in(self, kind: str, original: str, pattern: str) -> str:
        known = self._given.get((kind, original))
        if known is None:
            known = pattern.format(1 + sum(given == kind for given, _ in self._given))
            self._given[kind, original] = known
        return known


def leaves_of(value: Value, *, of_person: bool) -> Iterator[Leaf]:
    """Yield the texts within the data of an event. `of_person`: its name is somebody's, as a contact's is."""
    yield from _leaves(value, (), "", of_person=of_person)


def _leaves(value: Value, place: Place, code: str, *, of_person: bool) -> Iterator[Leaf]:
    """Yield the texts within a value. `code` is that of the custom field that it belongs to."""
    if isinstance(value, str):
        kind: Kind = "phone" if code == "PHONE" and place[-1] == "value" else _kind(place, value, of_person)
        yield Leaf(place=place, text=value, kind=kind)
        return
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from _leaves(item, (*place, at), code, of_person=of_person)
        return
    code = _code(value) or code
    chosen = "enum" in value and code not in _CODES_OF_PEOPLE  # from a list of the account's
    for key, item in value.items():
        if chosen and key == "value" and isinstance(item, str):
            yield Leaf(place=(*place, key), text=item, kind="technical")
        else:
            yield from _leaves(item, (*place, key), code, of_person=of_person)


def _code(field: Mapping[str, Value]) -> str:
    code = field.get("code") or field.get("field_code")
    return code.upper() if isinstance(code, str) else ""


def _kind(place: Place, text: str, of_person: bool) -> Kind:
    key, above = str(place[-1]) if place else "", place[:-1]
    in_fields = not _FIELD_LISTS.isdisjoint(above)
    if key == "name" and not in_fields:
        return "name" if (of_person and not above) or not _NAMED.isdisjoint(above) else "free"
    if key in _NAMES:
        return "name"
    if "phone" in key.lower() and any(sign.isdigit() for sign in text):
        return "phone"
    if key == "text":  # of a message, a note, a task: a person wrote it, also where it is a number or one word
        return "free"
    if in_fields:
        return "free" if key == "value" or key.isdecimal() else "technical"
    return "technical" if _TECHNICAL.fullmatch(text) else "free"


def replace_leaves(value: Value, replaced: Mapping[Place, str], place: Place = ()) -> Value:
    """Return a value with other texts at these places."""
    if isinstance(value, str):
        return replaced.get(place, value)
    if isinstance(value, Mapping):
        return {key: replace_leaves(item, replaced, (*place, key)) for key, item in value.items()}
    return [replace_leaves(item, replaced, (*place, at)) for at, item in enumerate(value)]


def without_people(value: Json, allowed: frozenset[str], field: str = "") -> Json:
    """Return a value without the texts that name a person who is not `allowed`, such as one of a table."""
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if not _names_somebody(item, allowed, key)}
        return {key: without_people(item, allowed, key) for key, item in kept.items()}
    if isinstance(value, list | tuple):
        return [without_people(item, allowed, field) for item in value if not _names_somebody(item, allowed, field)]
    return value


def _names_somebody(value: Json, allowed: frozenset[str], field: str) -> bool:
    if not isinstance(value, str | int) or isinstance(value, bool):
        return False
    return any(not _is_allowed(person, allowed) for person in find_people(f'"{field}": "{value}"'))


def _is_allowed(person: str, allowed: frozenset[str]) -> bool:
    """Return whether somebody is allowed; a number in any spelling."""
    if "@" in person:
        return person.casefold() in allowed
    digits = re.sub(r"[^0-9]", "", person)[-_SIGNIFICANT:]
    return any(re.sub(r"[^0-9]", "", one)[-_SIGNIFICANT:] == digits for one in allowed)
