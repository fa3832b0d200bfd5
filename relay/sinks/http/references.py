"""References: `<name>` in a sink's settings or a stored body, filled in with a value when it is needed.

Unlike templates they are filled at send time, with what only then is known: an id that was looked up, a delivery's key.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

import msgspec

from relay.errors import RejectDelivery
from relay.model import Json

_REFERENCE = re.compile(r"<([a-z][a-z0-9_]*)>")


def reference_names(value: Json) -> Iterator[str]:
    """Find the names that a text, or the texts within a value, refer to."""
    if isinstance(value, str):
        yield from _REFERENCE.findall(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from reference_names(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from reference_names(inner)


def fill_path(path: str, values: Mapping[str, Json]) -> str:
    """Fill a path; a value cannot begin a new part of it. Raise RejectDelivery where one is missing."""
    return _REFERENCE.sub(lambda found: quote(_text(found[1], values), safe=""), path)


def fill_text(text: str, values: Mapping[str, Json]) -> str:
    """Fill a text. Raise RejectDelivery where a value is missing."""
    return _REFERENCE.sub(lambda found: _text(found[1], values), text)


def fill_json(value: Json, values: Mapping[str, Json]) -> Json:
    """Fill the texts of a JSON value. One that is exactly a reference becomes the value; without one its key goes."""
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        return values[whole[1]] if whole else fill_text(value, values)
    if isinstance(value, Mapping):
        return {key: fill_json(inner, values) for key, inner in value.items() if not _is_empty(inner, values)}
    if isinstance(value, (list, tuple)):
        return [fill_json(inner, values) for inner in value if not _is_empty(inner, values)]
    return value


def has_all_values(value: Json, values: Mapping[str, Json]) -> bool:
    """Return whether everything that a value refers to is there: an empty value would find what is not meant."""
    return all(values.get(name) not in (None, "") for name in reference_names(value))


def fill_body(body: bytes, values: Mapping[str, Json]) -> bytes:
    """Fill a JSON body: a text in it that is exactly a reference becomes the value. All other bytes stay."""
    if b'"<' not in body:
        return body
    for name, value in values.items():
        body = body.replace(json_reference(name), msgspec.json.encode(value))
    return body


def json_reference(name: str) -> bytes:
    """Write a reference as it stands in a JSON body."""
    return b'"<%b>"' % name.encode()


def _text(name: str, values: Mapping[str, Json]) -> str:
    value = values.get(name)
    if value is None or value == "":
        raise RejectDelivery(f"<{name}> has no value for this delivery")
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _is_empty(value: Json, values: Mapping[str, Json]) -> bool:
    whole = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return whole is not None and values.get(whole[1]) in (None, "")
