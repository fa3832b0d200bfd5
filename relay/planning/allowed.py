"""Leave out of an event what subscribers may not be sent. Pure."""

from collections.abc import Collection, Mapping
from typing import Final

from msgspec.structs import replace

from relay.amocrm.layout import is_index
from relay.model import Event, Value

_IDS: Final = frozenset({"id", "uid", "talk_id", "element_id", "type"})
"""Fields by which a listener knows what an event is about: they are always sent."""
_CUSTOM: Final = ("custom_fields", "custom_fields_values")
_LABELS: Final = ("code", "name", "id", "field_code", "field_name", "field_id")


def limit_event(event: Event, allowed: Collection[str]) -> Event:
    """Return an event with the fields that are allowed, and those by which it is known.

    A field is named as amoCRM sends it, within others with dots and without indexes: `price`, `note.text`, `tags`; of a
    custom field it is its code, name or id behind `custom_fields.`. One name allows all that is within it.
    """
    data = _limit(event.data, "", frozenset(allowed))
    return replace(event, data=data if isinstance(data, dict) else {})


def _limit(value: "Value | Mapping[str, Value]", path: str, allowed: frozenset[str]) -> "Value | None":
    """Return what of a value is allowed; None: nothing."""
    if path in allowed:
        return value if isinstance(value, str | list | dict) else dict(value)
    if isinstance(value, str):
        return value if path.rpartition(".")[2] in _IDS and path.count(".") <= 1 else None
    if path in _CUSTOM:
        items = list(value.values()) if isinstance(value, Mapping) else value
        found: list[Value] = [one for one in items if _is_allowed_custom(one, path, allowed)]
        return found or None
    if isinstance(value, list):
        kept = [one for item in value if (one := _limit(item, path, allowed)) is not None]
        return kept or None
    limited = {
        key: one for key, inner in value.items() if (one := _limit(inner, _inside(path, key), allowed)) is not None
    }
    return limited or None


def _inside(path: str, key: str) -> str:
    if is_index(key):
        return path
    return f"{path}.{key}" if path else key


def _is_allowed_custom(item: Value, path: str, allowed: frozenset[str]) -> bool:
    if not isinstance(item, dict):
        return False
    return any(f"{path}.{item[label]}" in allowed for label in _LABELS if isinstance(item.get(label), str))
