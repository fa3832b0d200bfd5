"""References: `<name>` in a sink's settings or a stored body, replaced by a value when the request is built.

Templates are rendered earlier, when the event is routed. References are for what is known only when sending: an id that
was looked up, the delivery's key.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

import msgspec

from relay.errors import RejectDelivery
from relay.model import Json

_REFERENCE = re.compile(r"<([a-z][a-z0-9_]*)>")


def reference_names(value: Json) -> Iterator[str]:
    """Yield the names of the references in a text, or in the texts within a value."""
    if isinstance(value, str):
        yield from _REFERENCE.findall(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from reference_names(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from reference_names(inner)


def fill_path(path: str, values: Mapping[str, Json]) -> str:
    """Fill in a path; values are quoted, / included. Raise RejectDelivery where one is missing."""
    return _REFERENCE.sub(lambda match: quote(_text(match[1], values), safe=""), path)


def fill_text(text: str, values: Mapping[str, Json]) -> str:
    """Fill in a text. Raise RejectDelivery where a value is missing."""
    return _REFERENCE.sub(lambda match: _text(match[1], values), text)


def fill_json(value: Json, values: Mapping[str, Json]) -> Json:
    """Fill in the texts of a JSON value. A text that is exactly a reference becomes the value, or is left out."""
    if isinstance(value, str):
        match = _REFERENCE.fullmatch(value)
        return values[match[1]] if match else fill_text(value, values)
    if isinstance(value, Mapping):
        return {key: fill_json(inner, values) for key, inner in value.items() if not _is_empty(inner, values)}
    if isinstance(value, (list, tuple)):
        return [fill_json(inner, values) for inner in value if not _is_empty(inner, values)]
    return value


def has_all_values(value: Json, values: Mapping[str, Json]) -> bool:
    """Return whether every reference in a value has a value; an empty one does not count, it would match anything."""
    return all(values.get(name) not in (None, "") for name in reference_names(value))


def fill_body(body: bytes, values: Mapping[str, Json]) -> bytes:
    """Fill in a JSON body: a text that is exactly a reference becomes the value. All other bytes stay."""
    if b'"<' not in body:
        return body
    for name, value in values.items():
        body = body.replace(json_reference(name), msgspec.json.encode(value))
    return body


def json_reference(name: str) -> bytes:
    """Return a reference as it is written in a JSON body."""
    return b'"<%b>"' % name.encode()


def _text(name: str, values: Mapping[str, Json]) -> str:
    value = values.get(name)
    if value is None or value == "":
        raise RejectDelivery(f"<{name}> has no value for this delivery")
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _is_empty(value: Json, values: Mapping[str, Json]) -> bool:
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return match is not None and values.get(match[1]) in (None, "")
