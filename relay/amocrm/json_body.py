"""A body in JSON, as an integration of one's own may post it, read into the values that a form has."""

from collections.abc import Iterator
from itertools import count

import msgspec

from relay.amocrm.form import listed
from relay.amocrm.limits import LIMITS, Limits, check_size, over, shown
from relay.errors import Malformed
from relay.model import Value

_JSON: msgspec.json.Decoder[object] = msgspec.json.Decoder(float_hook=str)


def decode_json(body: bytes, limits: Limits = LIMITS) -> dict[str, Value]:
    """Read a JSON object into the values that decode gives for the same data sent as a form.

    Numbers keep the text they were sent as, true is "1", false "0", null "". Empty lists and objects vanish, as they do
    in a form. Raises Malformed, also for a name that a form cannot carry (empty, or with brackets).
    """
    check_size(body, limits)
    try:
        data = _JSON.decode(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"body: not JSON, {error}") from error
    if not isinstance(data, dict):
        raise Malformed(f"body: a JSON {type(data).__name__}, an object is expected")
    budget = count(1)
    root = {key: _from_json(key, value, 1, budget, limits) for key, value in _named("", data, limits)}
    return {key: value for key, value in root.items() if value is not None}


def _from_json(place: str, value: object, depth: int, budget: Iterator[int], limits: Limits) -> "Value | None":
    """Return a JSON value as a form would; None for a container with nothing in it."""
    if next(budget) > limits.fields:
        raise Malformed(f"{shown(place)}: {over(limits.fields + 1, limits.fields, 'values')}")
    if not isinstance(value, list | dict):
        return _scalar(value)
    if depth >= limits.depth:
        raise Malformed(f"{shown(place)}: {over(depth + 1, limits.depth, 'levels')}")
    node: dict[str, Value] = {}
    for key, item in _named(place, value, limits):
        inner = _from_json(f"{place}[{key}]", item, depth + 1, budget, limits)
        if inner is not None:
            node[key] = inner
    return listed(node) if node else None


def _named(place: str, container: list[object] | dict[str, object], limits: Limits) -> Iterator[tuple[str, object]]:
    if isinstance(container, list):
        yield from zip(map(str, count()), container, strict=False)
        return
    for key, value in container.items():
        if not key or "[" in key or "]" in key:
            raise Malformed(f"{shown(place) if place else 'body'}: a form cannot carry the name {shown(key)}")
        if len(key) > limits.key_length:
            raise Malformed(f"name {shown(key)}: {over(len(key), limits.key_length, 'characters')}")
        yield key, value


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value)
