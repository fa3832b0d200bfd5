"""Custom fields as people mean them, whichever of amoCRM's three shapes their values were sent in."""

from collections.abc import Iterator, Mapping

import msgspec

from relay.amocrm.form import is_index
from relay.model import Value


class CustomFields(Mapping[str, "str | list[str]"]):
    """Custom fields by name, code (PHONE) or id: one value as it was sent, or the list of several.

    A name wins over a code, a code over an id; of two fields with one name the first. Iterates over the names.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: "Value | None" = None) -> None:
        self._fields = list_maps(fields)

    def __getitem__(self, key: str) -> "str | list[str]":
        # Few are asked for: looking is cheaper than an index of all of them.
        for field in self._fields:
            if field.get("name") == key:
                return _value(field)
        for field in self._fields:
            code = field.get("code")
            if isinstance(code, str) and code.upper() == key:
                return _value(field)
        for field in self._fields:
            if field.get("id") == key:
                return _value(field)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for field in self._fields if isinstance(name := field.get("name"), str)))

    def __len__(self) -> int:
        return len(list(iter(self)))


def _value(field: Mapping[str, Value]) -> "str | list[str]":
    found = field_texts(field.get("values"))
    return found[0] if len(found) == 1 else found or ""


def values_by_code(fields: "Value | None", code: str) -> list[str] | None:
    """Return all values of the fields with a code (EMAIL), None where there is no such field."""
    found = [field for field in list_maps(fields) if field.get("code") == code]
    return [text for field in found for text in field_texts(field.get("values"))] if found else None


def field_texts(values: "Value | None") -> list[str]:
    """Read a field's values in each of their shapes: [{value, enum}], ["1542067200"], {value, enum}."""
    if isinstance(values, dict) and not all(map(is_index, values)):
        return [_text(values)]
    return [_text(item) for item in list_items(values)]


def list_items(value: "Value | None") -> list[Value]:
    """Return what a list holds. A sparse one arrives as a map of indexes; a list of one may be the bare text."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, str):
        return [value]
    return value or []


def list_maps(value: "Value | None") -> list[dict[str, Value]]:
    """Return the maps that a list holds."""
    return [item for item in list_items(value) if isinstance(item, dict)]


def _text(item: Value) -> str:
    value = item.get("value", item) if isinstance(item, dict) else item
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()  # an address, a legal entity
