"""Custom fields of leads, contacts and companies, whichever of amoCRM's shapes they and their values have.

Hooks call them `custom_fields`, with `name`, `code` and `id`; API v4 `custom_fields_values`, with `field_name`,
`field_code` and `field_id`.
"""

from collections.abc import Iterator, Mapping

import msgspec

from relay.amocrm.layout import is_index
from relay.model import Value


class CustomFields(Mapping[str, "str | list[str]"]):
    """Custom fields by name, code (PHONE, in any case) or id: one value as it was sent, or the list of several.

    A name wins over a code, a code over an id; of two fields with the same name the first. Iterates over the names.
    """

    __slots__ = ("_fields",)

    def __init__(self, data: Mapping[str, Value]) -> None:
        self._fields = _custom_fields(data)

    def __getitem__(self, key: str) -> "str | list[str]":
        # Only a few are asked for: a search is cheaper than an index of all of them.
        for field in self._fields:
            if _property(field, "name") == key:
                return _value(field)
        for field in self._fields:
            if _has_code(field, key.upper()):
                return _value(field)
        for field in self._fields:
            if _property(field, "id") == key:
                return _value(field)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for field in self._fields if isinstance(name := _property(field, "name"), str)))

    def __len__(self) -> int:
        return len(list(iter(self)))


def _value(field: Mapping[str, Value]) -> "str | list[str]":
    texts = field_texts(field.get("values"))
    return texts[0] if len(texts) == 1 else texts or ""


def _custom_fields(data: Mapping[str, Value]) -> list[dict[str, Value]]:
    in_hooks, in_v4 = data.get("custom_fields"), data.get("custom_fields_values")
    return list_maps(in_hooks) if in_v4 is None else [*list_maps(in_hooks), *list_maps(in_v4)]


def _property(field: Mapping[str, Value], name: str) -> "Value | None":
    return field.get(name) or field.get(f"field_{name}")


def _has_code(field: Mapping[str, Value], code: str) -> bool:
    found = field.get("code") or field.get("field_code")
    return found == code or (isinstance(found, str) and found.upper() == code)


def values_by_code(data: Mapping[str, Value], code: str) -> list[str] | None:
    """Return all values of the fields with a code (EMAIL), or None where there is no such field."""
    found = [field for field in _custom_fields(data) if _has_code(field, code)]
    return [text for field in found for text in field_texts(field.get("values"))] if found else None


def field_texts(values: "Value | None") -> list[str]:
    """Return a field's values, sent in any of their shapes: [{value, enum}], ["1542067200"] or {value, enum}."""
    if isinstance(values, dict) and not all(map(is_index, values)):
        return [_text(values)]
    return [_text(item) for item in list_items(values)]


def list_items(value: "Value | None") -> list[Value]:
    """Return the items of a list. A sparse list arrives as a map of indexes; a list of one may be the item alone."""
    if isinstance(value, dict):
        alone = any(isinstance(inner, str) and not is_index(key) for key, inner in value.items())  # tags[name]=VIP
        return [value] if alone else list(value.values())
    if isinstance(value, str):
        return [value]
    return value or []


def list_maps(value: "Value | None") -> list[dict[str, Value]]:
    """Return the maps among the items of a list."""
    return [item for item in list_items(value) if isinstance(item, dict)]


def _text(item: Value) -> str:
    value = item.get("value", item) if isinstance(item, dict) else item
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()  # an address, a legal entity
