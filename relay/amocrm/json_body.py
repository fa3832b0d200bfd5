"""A body in JSON, as an integration or a forwarder posts it, decoded into the values that a form has."""

import json
from collections.abc import Iterator
from typing import NoReturn

import msgspec

from relay.amocrm.body_format import JUNK_IN_FRONT
from relay.amocrm.layout import Path, build_layout, split_name
from relay.amocrm.limits import (
    DEFAULT_LIMITS,
    BodyLimits,
    check_size,
    describe_excess,
    describe_left_out,
    quote_key,
)
from relay.amocrm.remarks import AddRemark, refuse
from relay.errors import Malformed
from relay.model import Value

_JSON: msgspec.json.Decoder[object] = msgspec.json.Decoder(float_hook=str)


def decode_json(body: bytes, limits: BodyLimits = DEFAULT_LIMITS, add_remark: AddRemark = refuse) -> dict[str, Value]:
    """Decode a JSON object, or a list of only one, into the values that `decode_form` returns for the same data.

    A name with brackets is a path, as in a form. Numbers keep the text they were sent as, true is "1", false "0", null
    "". Empty lists and objects are left out. What exceeds a limit, or has a name that a form cannot carry, is left out
    too, and U+FFFD stands for what is no Unicode: each with a remark. By default a remark is refused. Raises Malformed.
    """
    check_size(body, limits)
    data = _parse(body.lstrip(JUNK_IN_FRONT), add_remark)
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    if not isinstance(data, dict):
        raise Malformed(f"body: a JSON {type(data).__name__}, an object is expected")
    paths: list[Path | None] = []
    texts: list[str] = []
    for keys, text in _scalars((), data, limits, add_remark):
        if len(texts) == limits.fields:
            add_remark(f"body: {describe_left_out(_count_scalars(data), limits.fields, 'values')}")
            break
        paths.append((keys[:-1], keys[-1]))
        texts.append(text)
    return build_layout(paths, []).fill(texts)


def _parse(body: bytes, add_remark: AddRemark) -> object:
    try:
        return _JSON.decode(body)
    except (ValueError, RecursionError) as error:
        try:
            return _parse_leniently(body, add_remark)
        except (ValueError, RecursionError):
            raise Malformed(f"body: not JSON, {error}") from error


def _parse_leniently(body: bytes, add_remark: AddRemark) -> object:
    """Parse JSON that has line ends in its texts, or what is no Unicode. Raises ValueError, RecursionError."""
    text = body.decode(errors="replace")
    data = json.loads(text, strict=False, parse_float=str, parse_int=str, parse_constant=_refuse_constant)
    written = json.dumps(data, ensure_ascii=False)
    valid = written.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if written != valid or text.encode() != body:
        add_remark("body: not all of it is Unicode: U+FFFD stands for what is not")
    return json.loads(valid)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _scalars(
    path: tuple[str, ...], value: object, limits: BodyLimits, add_remark: AddRemark
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path and the text of each scalar."""
    if len(path) > limits.depth or (len(path) == limits.depth and isinstance(value, list | dict)):
        excess = describe_excess(max(len(path), limits.depth + 1), limits.depth, "levels")
        add_remark(f"{_describe(path)}: {excess}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _scalars((*path, str(index)), item, limits, add_remark)
    elif isinstance(value, dict):
        for key, item in value.items():
            try:
                keys = _split_key(key, limits, nested=bool(path))
            except Malformed as error:
                add_remark(f"{_describe(path)}: name {quote_key(key)}: {error}")
            else:
                yield from _scalars((*path, *keys), item, limits, add_remark)
    else:
        yield path, _text(value)


def _count_scalars(data: dict[str, object]) -> int:
    found = 0
    containers: list[list[object] | dict[str, object]] = [data]
    while containers:
        container = containers.pop()
        for item in container.values() if isinstance(container, dict) else container:
            if isinstance(item, list | dict):
                containers.append(item)
            else:
                found += 1
    return found


def _describe(path: tuple[str, ...]) -> str:
    return quote_key("".join([path[0], *[f"[{key}]" for key in path[1:]]])) if path else "body"


def _split_key(key: str, limits: BodyLimits, *, nested: bool) -> tuple[str, ...]:
    """Return the keys that a name stands for: `leads[status][0]` has three. Raises Malformed."""
    if len(key) > limits.key_length:
        raise Malformed(describe_excess(len(key), limits.key_length, "characters"))
    if nested and "[" not in key:
        if not key or "]" in key:
            raise Malformed("a form cannot carry it")
        return (key,)
    parents, last = split_name(key)
    if nested and "]" in (*parents, last)[0]:
        raise Malformed("a form cannot carry it")
    return (*parents, last)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value)
