"""The sender's form language: bracketed, percent-encoded pairs <-> nested values, read as PHP's parse_str reads them.

Kept whole or refused: a body beyond a limit, cut in the middle of a key, with brackets that do not pair up or with
bytes that are not UTF-8 raises Malformed, which names the field and never shows a value.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import count, islice
from operator import eq
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote_plus

from relay.amocrm.limits import DEFAULT_LIMITS, BodyLimits, check_size, describe_excess, quote_key
from relay.errors import Malformed
from relay.model import Record, Value

_Map = dict[str, Value]
_Nested: TypeAlias = "int | list[_Nested] | dict[str, _Nested]"
_Root: TypeAlias = "dict[str, _Nested]"
_CACHED_FIELDS = 128  # of a body whose layout is remembered: 256 of them stay within some megabytes
_CACHED_TEXT = 256  # characters of an escaped text that is remembered: likewise
_T = TypeVar("_T")
_APPEND = ""  # the key of `[]`


def decode_form(body: bytes, limits: BodyLimits = DEFAULT_LIMITS) -> dict[str, Value]:
    """Read a form body into nested values: every scalar a string, keys as sent, in the order of the body.

    A map whose keys are 0, 1, 2… in this order becomes a list; any other, sparse or huge, stays a map. Under one key
    the nested value wins over a scalar, in either order; of two scalars the last. `[]` appends. A `%` that starts no
    escape is kept, and so are unusual characters in a name, where PHP would put `_`. Line ends after the last field,
    an editor's, are dropped.

    Raises Malformed.
    """
    keys: list[str] = []
    values: list[str] = []
    for field in _fields(body, limits):
        key, equals, value = field.partition("=")
        if equals:
            keys.append(key)
            values.append(value)
        elif field:
            raise Malformed(f"{_field(len(keys), key)}: no '=' after it, the body was cut in the middle of a key")
    layout = (_layout if len(keys) <= _CACHED_FIELDS else _laid_out)(tuple(keys), limits)
    try:
        texts = [value if "%" not in value else _unescaped(value) for value in values]
    except UnicodeDecodeError:
        raise _not_utf8(keys, values) from None
    return _filled(layout, texts)


def encode_form(values: Mapping[str, Value]) -> bytes:
    """Write nested values as amoCRM sends them: brackets percent-encoded, a space as `+`, UTF-8.

    Names must not be empty or have brackets: no name from decode does. decode gives the values back, except for empty
    lists and maps, which a form cannot carry.
    """
    return "&".join(pair for key, value in values.items() for pair in _pairs(_quoted(key), value)).encode("ascii")


def _fields(body: bytes, limits: BodyLimits) -> list[str]:
    check_size(body, limits)
    # Only a body of so many bytes can have as many fields: most need no counting.
    if len(body) >= limits.fields and (fields := body.count(b"&") + 1) > limits.fields:
        raise Malformed(f"body: {describe_excess(fields, limits.fields, 'fields')}")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"body: not UTF-8 at byte {error.start}, {_bad_byte(error)}") from error
    if text and "=" not in text:
        raise Malformed(f"body: {len(body)} bytes without a single '=', not a form")
    return text.rstrip("\r\n").replace("+", " ").split("&")


def _field(position: int, key: str) -> str:
    return f"field {position + 1} ({quote_key(key)})"


class _Layout(Record):
    """How texts become nested values. A value has a number: a text its position, a container one after all texts."""

    empty: list[_Map | list[None]]  # the containers, the whole first; a list has its length already
    places: list[tuple[int, str | int, int]]  # into which container, under what key or at which position, which value


def _laid_out(keys: tuple[str, ...], limits: BodyLimits) -> _Layout:
    """Work out the nesting that keys describe."""
    layout = _Layout(empty=[], places=[])
    _lay(_nested(keys, limits), layout, len(keys))
    return layout


# Hooks of one kind have the same keys in the same order: their nesting is worked out once, for each hook only filled.
_layout = lru_cache(maxsize=256)(_laid_out)


def _lay(node: "_Root | list[_Nested]", layout: _Layout, texts: int) -> int:
    """Add a container, and what is in it, to a layout. Return its number."""
    number = texts + len(layout.empty)
    layout.empty.append({} if isinstance(node, dict) else [None] * len(node))
    for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
        layout.places.append((number, key, inner if isinstance(inner, int) else _lay(inner, layout, texts)))
    return number


def _filled(layout: _Layout, texts: list[str]) -> _Map:
    values: list[Any] = [*texts, *[container.copy() for container in layout.empty]]
    for container, key, value in layout.places:
        values[container][key] = values[value]
    whole: _Map = values[len(texts)]
    return whole


def _nested(keys: tuple[str, ...], limits: BodyLimits) -> _Root:
    """Build the nesting that keys describe, with the position of each value in place of it."""
    root: _Root = {}
    appended: dict[int, tuple[int, int]] = {}
    for position, key in enumerate(keys):
        if len(key) > limits.key_length:
            raise Malformed(f"{_field(position, key)}: {describe_excess(len(key), limits.key_length, 'characters')}")
        try:
            parents, last = _path(key)
        except UnicodeDecodeError as error:
            raise Malformed(f"{_field(position, key)}: not UTF-8, {_bad_byte(error)}") from error
        if len(parents) >= limits.depth:
            raise Malformed(f"{_field(position, key)}: {describe_excess(len(parents) + 1, limits.depth, 'levels')}")
        _put(root, parents, last, position, appended)
    _settle(root)
    return root


@lru_cache(maxsize=2048)  # most keys of a new layout are known from others
def _path(key: str) -> tuple[tuple[str, ...], str]:
    """Split `a[b][c]`, percent-encoded or not, into its parents (a, b) and the last key."""
    name, bracket, rest = _ESCAPES.sub(_unescape, key).partition("[")
    keys = rest[:-1].split("][") if bracket else []
    paired = rest.endswith("]") if bracket else True
    if not name or not paired or "]" in name or any("[" in part or "]" in part for part in keys):
        raise Malformed(f"key {quote_key(key)}: its brackets do not pair up, name[key][key] is expected")
    path = (name, *keys)
    return path[:-1], path[-1]


def _put(root: _Root, parents: tuple[str, ...], last: str, position: int, appended: dict[int, tuple[int, int]]) -> None:
    node = root
    for key in parents:
        if key == _APPEND:
            key = _next_index(node, appended)
        child = node.get(key)
        if not isinstance(child, dict):
            child = node[key] = {}
        node = child
    if last == _APPEND:
        last = _next_index(node, appended)
    if not isinstance(node.get(last), dict):
        node[last] = position


def _next_index(node: _Root, appended: dict[int, tuple[int, int]]) -> str:
    """One more than the highest index in a map. Looks only at keys newer than its last call, so it stays linear."""
    seen, index = appended.get(id(node), (0, 0))
    newer = islice(reversed(node), len(node) - seen)
    index = max([index, *(int(key) + 1 for key in newer if is_index(key))])
    appended[id(node)] = (len(node) + 1, index + 1)
    return str(index)


def is_index(key: str) -> bool:
    """Tell a list's index (0, 1, 27) from a name: ASCII digits, no leading zero."""
    return key.isascii() and key.isdigit() and (key[0] != "0" or key == "0")


def _settle(node: _Root) -> None:
    """Turn the maps inside that count 0, 1, 2… into lists."""
    for key, value in node.items():
        if isinstance(value, dict):
            _settle(value)
            node[key] = list_if_indexed(value)


def list_if_indexed(node: dict[str, _T]) -> list[_T] | dict[str, _T]:
    """Turn a map whose keys count 0, 1, 2… into a list."""
    counts = "0" in node and all(map(eq, node, map(str, count())))  # most maps are told by the cheap look
    return list(node.values()) if counts else node


_ESCAPES = re.compile("(?:%[0-9A-Fa-f]{2})+")


def _unescaped(text: str) -> str:
    return _known(text) if len(text) <= _CACHED_TEXT else _ESCAPES.sub(_unescape, text)


def _unescape(escapes: re.Match[str]) -> str:
    """Read a run of escapes at once: half the time of urllib's one by one, for a name in Cyrillic."""
    return bytes.fromhex(escapes[0].replace("%", "")).decode()


# Names of custom fields, tags and choices are the same in hook after hook. Whatever else is short and escaped comes in
# too, until newer texts push it out.
_known = lru_cache(maxsize=4096)(partial(_ESCAPES.sub, _unescape))


def _not_utf8(keys: Sequence[str], values: Sequence[str]) -> Malformed:
    """Find the first value that is not UTF-8."""
    for position, value in enumerate(values):
        try:
            _ESCAPES.sub(_unescape, value)
        except UnicodeDecodeError as error:
            return Malformed(f"{_field(position, keys[position])}: not UTF-8, {_bad_byte(error)}")
    raise AssertionError("every value is UTF-8")


def _pairs(key: str, value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{key}={_quoted(value)}"
        return
    items = value.items() if isinstance(value, dict) else zip(map(str, count()), value, strict=False)
    for name, item in items:
        yield from _pairs(f"{key}%5B{_quoted(name)}%5D", item)


def _quoted(text: str) -> str:
    return quote_plus(text).replace("~", "%7E")  # PHP encodes the tilde, Python does not


def _bad_byte(error: UnicodeDecodeError) -> str:
    return f"byte 0x{error.object[error.start]:02x}"
