"""A body in JSON, as an integration of your own may post it, decoded into the values that a form has."""

from collections.abc import Iterator
from itertools import count

import msgspec

from relay.amocrm.layout import list_if_indexed
from relay.amocrm.limits import DEFAULT_LIMITS, BodyLimits, check_size, describe_excess, quote_key
from relay.errors import Malformed
from relay.model import Value

_JSON: msgspec.json.Decoder[object] = msgspec.json.Decoder(float_hook=str)


def decode_json(body: bytes, limits: BodyLimits = DEFAULT_LIMITS) -> dict[str, Value]:
    """Decode a JSON object into the values that `decode_form` returns for the same data sent as a form.

    Numbers keep the text they were sent as, true is "1", false "0", null "". Empty lists and objects are left out, as
    in a form. Raises Malformed, also for a name that a form cannot carry (empty, or with brackets).
    """
    check_size(body, limits)
    try:
        data = _JSON.decode(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"body: not JSON, {error}") from error
    if not isinstance(data, dict):
        raise Malformed(f"body: a JSON {type(data).__name__}, an object is expected")
    values_seen = count(1)
    root = {key: _from_json(key, value, 1, values_seen, limits) for key, value in _named_items("", data, limits)}
    return {key: value for key, value in root.items() if value is not None}


def _from_json(place: str, value: object, depth: int, values_seen: Iterator[int], limits: BodyLimits) -> "Value | None":
    """Return a JSON value as a form would have it; None for an empty container."""
    if next(values_seen) > limits.fields:
        raise Malformed(f"{quote_key(place)}: {describe_excess(limits.fields + 1, limits.fields, 'values')}")
    if not isinstance(value, list | dict):
        return _scalar(value)
    if depth >= limits.depth:
        raise Malformed(f"{quote_key(place)}: {describe_excess(depth + 1, limits.depth, 'levels')}")
    node: dict[str, Value] = {}
    for key, item in _named_items(place, value, limits):
        inner = _from_json(f"{place}[{key}]", item, depth + 1, values_seen, limits)
        if inner is not None:
            node[key] = inner
    return list_if_indexed(node) if node else None


def _named_items(
    place: str, container: list[object] | dict[str, object], limits: BodyLimits
) -> Iterator[tuple[str, object]]:
    if isinstance(container, list):
        yield from zip(map(str, count()), container, strict=False)
        return
    for key, value in container.items():
        if not key or "[" in key or "]" in key:
            raise Malformed(f"{quote_key(place) if place else 'body'}: a form cannot carry the name {quote_key(key)}")
        if len(key) > limits.key_length:
            raise Malformed(f"name {quote_key(key)}: {describe_excess(len(key), limits.key_length, 'characters')}")
        yield key, value


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value)
