"""E-mail addresses, phone numbers and tags: of a person, a deal, or of those within an unsorted request."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from relay.amocrm.custom_fields import list_items, list_maps, values_by_code
from relay.model import Value

_Data: TypeAlias = Mapping[str, Value]
FieldReader: TypeAlias = Callable[[_Data], object]
"""Reads a friendly field; None where the hook does not carry it."""

_TextsReader: TypeAlias = Callable[[_Data], list[str] | None]


def read_emails(data: _Data) -> list[str] | None:
    """Return the e-mail addresses, empty ones too."""
    return values_by_code(data, "EMAIL")


def read_phones(data: _Data) -> list[str] | None:
    """Return the phone numbers as they were sent, empty ones too."""
    return values_by_code(data, "PHONE")


def all_of(read: _TextsReader) -> FieldReader:
    """Make a reader of the texts of a list that are not empty."""
    return lambda data: None if (texts := read(data)) is None else list(filter(None, texts))


def first_of(read: _TextsReader) -> FieldReader:
    """Make a reader of the first text of a list that is not empty; empty where all are."""

    def read_first(data: _Data) -> str | None:
        texts = read(data)
        return next(filter(None, texts), texts[0]) if texts else None

    return read_first


def texts_of_list(field: str, key: str) -> _TextsReader:
    """Make a reader of the texts in a list like tags[i][name]."""

    def read(data: _Data) -> list[str] | None:
        if field not in data:
            return None
        found = (item.get(key) if isinstance(item, dict) else item for item in list_items(data[field]))
        return [text for text in found if isinstance(text, str) and text]

    return read


_own_tags = texts_of_list("tags", "name")


def read_tags(data: _Data) -> list[str] | None:
    """Return the names of the tags; API v4 has them under `_embedded`."""
    embedded = data.get("_embedded")
    return _own_tags(embedded if "tags" not in data and isinstance(embedded, dict) else data)


def _nested(data: _Data, kind: str) -> list[dict[str, Value]]:
    """Return the contacts or leads within an unsorted request: hooks have them in `data`, API v4 in `_embedded`."""
    outer = [data, *[inner for key in ("data", "_embedded") if isinstance(inner := data.get(key), dict)]]
    return [item for each in outer for item in list_maps(each.get(kind))]


def _nested_reader(read: _TextsReader, *kinds: str) -> _TextsReader:
    """Make a reader of what an entity has itself, and those within it have: each text once."""

    def read_nested(data: _Data) -> list[str] | None:
        found = [read(data), *[read(item) for kind in kinds for item in _nested(data, kind)]]
        if all(texts is None for texts in found):
            return None
        return list(dict.fromkeys(text for texts in found for text in texts or ()))

    return read_nested


def _or_sent(field: str, read: FieldReader) -> FieldReader:
    """Make a reader of what another one finds, or else of the field of this name, as it was sent."""
    return lambda data: data.get(field) if (found := read(data)) is None else found


_nested_emails = _nested_reader(read_emails, "contacts", "companies")
_nested_phones = _nested_reader(read_phones, "contacts", "companies")
_NESTED: dict[str, FieldReader] = {
    "email": first_of(_nested_emails),
    "emails": all_of(_nested_emails),
    "phone": first_of(_nested_phones),
    "phones": all_of(_nested_phones),
    "tags": _nested_reader(read_tags, "leads", "contacts"),
}
NESTED_READERS: Mapping[str, FieldReader] = MappingProxyType(
    {field: _or_sent(field, read) for field, read in _NESTED.items()}
)
"""The readers of an entity that has contacts and leads within it, as an unsorted request has."""
