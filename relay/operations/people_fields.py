"""Name the fields of an event or of what is sent, each with its text. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from relay.model import Json

MOST_TEXT: Final = 500  # characters of one that are shown
_CUSTOM: Final = ("custom_fields", "custom_fields_values")


def field_texts(value: Json) -> dict[str, str]:
    """Return the fields within a value that are not empty; a custom field is called as the account calls it."""
    found: dict[str, str] = {}
    for name, text in _fields("", value):
        found[name] = f"{found[name]}, {text}" if name in found else text[:MOST_TEXT]
    return found


def _fields(name: str, value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key in _CUSTOM and not isinstance(one, str):
                yield from _custom_fields(one)
            else:
                yield from _fields(f"{name}.{key}" if name else str(key), one)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            yield from _fields(name, one)
    elif value is not None and value != "":
        yield name, str(value)


def _custom_fields(value: Json) -> Iterator[tuple[str, str]]:
    items = list(value.values()) if isinstance(value, Mapping) else value
    for item in items if isinstance(items, Sequence) else ():
        if isinstance(item, Mapping):
            label = item.get("name") or item.get("field_name") or item.get("code") or item.get("id")
            yield from _fields(f"custom_fields.{label}", list(_values(item.get("values"))))


def _values(value: Json) -> Iterator[Json]:
    """Yield the values of a custom field: texts, or each in a map with what it is of."""
    items = list(value.values()) if isinstance(value, Mapping) else value
    for one in items if isinstance(items, Sequence) and not isinstance(items, str) else ():
        yield one.get("value") if isinstance(one, Mapping) else one
