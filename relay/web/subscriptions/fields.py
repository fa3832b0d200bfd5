"""Read the fields of a request's body. What is not of the right type raises ApiError with the field's path."""

from collections.abc import Mapping

from relay.amocrm.layout import is_index
from relay.model import Json
from relay.web.subscriptions.errors import invalid_field

_TYPE_NAMES = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    dict: "an object",
    list: "a list",
}


def get_text(fields: Mapping[str, Json], key: str, at: str = "") -> str:
    """Return a text; empty where the field is missing."""
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid_field(_join(at, key), f"must be a text, not {_type_name(value)}")
    return value


def get_number(fields: Mapping[str, Json], key: str, max: int) -> int | None:
    """Return a whole number from 0 to `max`; None where the field is missing."""
    value = fields.get(key)
    if value is None or (type(value) is int and 0 <= value <= max):
        return value
    raise invalid_field(key, f"must be a whole number from 0 to {max}")


def get_texts(fields: Mapping[str, Json], key: str, at: str = "", *, max: int, indexed: bool = False) -> list[str]:
    """Return a list of at most `max` texts, each once; empty where the field is missing.

    `indexed`: a mapping whose keys are indexes is a list too. A form with gaps in its numbering becomes one.
    """
    value = fields.get(key)
    if value is None:
        return []
    path = _join(at, key)
    values = require_list(value, path) if indexed else value
    if not isinstance(values, list):
        raise invalid_field(path, f"must be a list, not {_type_name(values)}")
    if not 0 < len(values) <= max:
        raise invalid_field(path, f"{len(values):,} events, 1 to {max} are possible")
    for n, item in enumerate(values):
        if not isinstance(item, str):
            raise invalid_field(f"{path}.{n}", f"must be a text, not {_type_name(item)}")
    return list(dict.fromkeys(str(item) for item in values))


def require_mapping(value: Json, at: str) -> Mapping[str, Json]:
    """Return a value that must be an object."""
    if isinstance(value, dict):
        return value
    raise invalid_field(at, f"must be an object, not {_type_name(value)}")


def require_list(value: Json, at: str) -> list[Json]:
    """Return a value that must be a list, or a mapping whose keys are indexes."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value and all(map(is_index, value)):
        return list(value.values())
    raise invalid_field(at, f"must be a list, not {_type_name(value)}")


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def _type_name(value: Json) -> str:
    return _TYPE_NAMES.get(type(value), "null")
