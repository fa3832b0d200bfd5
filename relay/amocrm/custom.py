"""Custom fields as people mean them, whichever of amoCRM's three shapes their values were sent in."""

from collections.abc import Iterator, Mapping

import msgspec

from relay.amocrm.form import is_index
from relay.model import Value


class Custom(Mapping[str, "str | list[str]"]):
    """Custom fields by name, code (PHONE) or id: one value as it was sent, or the list of several.

    A name wins over a code, a code over an id; of two fields with one name the first. Iterates over the names.
    """

    __slots__ = ("_by_any", "_names")

    def __init__(self, fields: "Value | None" = None) -> None:
        names: dict[str, str | list[str]] = {}
        codes: dict[str, str | list[str]] = {}
        ids: dict[str, str | list[str]] = {}
        for field in maps(fields):
            found = texts(field.get("values"))
            value = found[0] if len(found) == 1 else found or ""
            for index, key in ((names, field.get("name")), (codes, field.get("code")), (ids, field.get("id"))):
                if isinstance(key, str):
                    index.setdefault(key, value)
        self._names = names
        self._by_any = {**ids, **{code.upper(): value for code, value in codes.items()}, **names}

    def __getitem__(self, key: str) -> "str | list[str]":
        return self._by_any[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, key: object) -> bool:
        return key in self._by_any


def coded(fields: "Value | None", code: str) -> list[str] | None:
    """Give all values of the fields with a code (EMAIL), None where there is no such field."""
    found = [field for field in maps(fields) if field.get("code") == code]
    return [text for field in found for text in texts(field.get("values"))] if found else None


def texts(values: "Value | None") -> list[str]:
    """Read a field's values in each of their shapes: [{value, enum}], ["1542067200"], {value, enum}."""
    if isinstance(values, dict) and not all(map(is_index, values)):
        return [_text(values)]
    return [_text(item) for item in entries(values)]


def entries(value: "Value | None") -> list[Value]:
    """Give what a list holds. A sparse one arrives as a map of indexes; a list of one may be the bare text."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, str):
        return [value]
    return value or []


def maps(value: "Value | None") -> list[dict[str, Value]]:
    """Give the maps that a list holds."""
    return [item for item in entries(value) if isinstance(item, dict)]


def _text(item: Value) -> str:
    value = item.get("value", item) if isinstance(item, dict) else item
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()  # an address, a legal entity
