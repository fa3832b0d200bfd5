"""Custom fields of leads, contacts and companies, whichever of amoCRM's three shapes their values have."""

from collections.abc import Iterator, Mapping

import msgspec

from relay.amocrm.layout import is_index
from relay.model import Value


class CustomFields(Mapping[str, "str | list[str]"]):
    """Custom fields by name, code (PHONE) or id: one value as it was sent, or the list of several.

    A name wins over a code, a code over an id; of two fields with the same name the first. Iterates over the names.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: "Value | None" = None) -> None:
        self._fields = list_maps(fields)

    def __getitem__(self, key: str) -> "str | list[str]":
        # Only a few are asked for: a search is cheaper than an index of all of them.
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
    texts = field_texts(field.get("values"))
    return texts[0] if len(texts) == 1 else texts or ""


def values_by_code(fields: "Value | None", code: str) -> list[str] | None:
    """Return all values of the fields with a code (EMAIL), or None where there is no such field."""
    found = [field for field in list_maps(fields) if field.get("code") == code]
    return [text for field in found for text in field_texts(field.get("values"))] if found else None


def field_texts(values: "Value | None") -> list[str]:
    """Return a field's values, sent in any of their shapes: [{value, enum}], ["1542067200"] or {value, enum}."""
    if isinstance(values, dict) and not all(map(is_index, values)):
        return [_text(values)]
    return [_text(item) for item in list_items(values)]


def list_items(value: "Value | None") -> list[Value]:
    """Return the items of a list. A sparse list arrives as a map of indexes; a list of one may be the text alone."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, str):
        return [value]
    return value or []


def list_maps(value: "Value | None") -> list[dict[str, Value]]:
    """Return the maps among the items of a list."""
    return [item for item in list_items(value) if isinstance(item, dict)]


def _text(item: Value) -> str:
    value = item.get("value", item) if isinstance(item, dict) else item
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()  # an address, a legal entity
