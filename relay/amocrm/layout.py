"""How the bracketed keys of a form nest: `a[b][0]` and `a[b][1]` are a list in a map in a map."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import count, islice
from operator import eq
from typing import Any, TypeAlias, TypeVar

from relay.amocrm.escapes import describe_bad_byte, unescape, unescape_replacing
from relay.amocrm.limits import BodyLimits, describe_excess, quote_key
from relay.errors import Malformed
from relay.model import Record, Value

_T = TypeVar("_T")
_Node: TypeAlias = "int | list[_Node] | dict[str, _Node]"
"""A value's position among the fields, or what nests there."""
_Map: TypeAlias = "dict[str, _Node]"

Path: TypeAlias = tuple[tuple[str, ...], str]
"""The keys above a value, the outermost first, and its own."""

_CACHED_FIELDS = 128  # of a body whose layout is cached: 256 of them stay within some megabytes
_CACHED_LARGE_FIELDS = 1024  # likewise, of which 32 stay within as many: an account with hundreds of fields of its own
_APPEND = ""  # the key of `[]`
_JUNK_IN_FRONT = re.compile("\\A(?:[\\s?\ufeff\u200b]|amp;)+")  # of a name: what editors, and copying, leave there


class Layout(Record):
    """How to nest the values of a form. Values are numbered: the texts by position, then the containers."""

    containers: list[dict[str, Value] | list[None]]  # empty ones, the outermost first; a list has its length already
    places: list[tuple[int, str | int, int]]  # number of the container, key or index in it, number of the value
    remarks: list[str]  # on keys whose values are left out

    def fill(self, texts: Sequence[str]) -> dict[str, Value]:
        """Return the nested values of a form with these texts."""
        values: list[Any] = [*texts, *[container.copy() for container in self.containers]]
        for container, key, value in self.places:
            values[container][key] = values[value]
        outermost: dict[str, Value] = values[len(texts)]
        return outermost


def layout_of(keys: tuple[str, ...], limits: BodyLimits) -> Layout:
    """Return the layout that the keys of a form describe."""
    if len(keys) <= _CACHED_FIELDS:
        return _cached_layout(keys, limits)
    return _cached_large_layout(keys, limits) if len(keys) <= _CACHED_LARGE_FIELDS else _layout_of_keys(keys, limits)


def _layout_of_keys(keys: tuple[str, ...], limits: BodyLimits) -> Layout:
    remarks: list[str] = []
    return build_layout([_read_key(position, key, limits, remarks) for position, key in enumerate(keys)], remarks)


# Hooks of one kind have the same keys in the same order: most hooks need only be filled in.
_cached_layout = lru_cache(maxsize=256)(_layout_of_keys)
_cached_large_layout = lru_cache(maxsize=32)(_layout_of_keys)


def build_layout(paths: Sequence[Path | None], remarks: list[str]) -> Layout:
    """Return the layout of values that are under these paths; under None, a value is left out."""
    layout = Layout(containers=[], places=[], remarks=remarks)
    _add_container(_nest(paths), layout, len(paths))
    return layout


def _add_container(node: "_Map | list[_Node]", layout: Layout, texts: int) -> int:
    """Add a container, and what nests in it, to a layout. Return its number."""
    number = texts + len(layout.containers)
    layout.containers.append({} if isinstance(node, dict) else [None] * len(node))
    for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
        value = inner if isinstance(inner, int) else _add_container(inner, layout, texts)
        layout.places.append((number, key, value))
    return number


def _nest(paths: Iterable[Path | None]) -> _Map:
    """Return the nesting that paths describe, with the position of each in place of its value."""
    root: _Map = {}
    appended: dict[int, tuple[int, int]] = {}
    for position, path in enumerate(paths):
        if path is not None:
            _insert(root, *path, position, appended)
    _make_lists(root)
    return root


def _read_key(position: int, key: str, limits: BodyLimits, remarks: list[str]) -> Path | None:
    """Return the path of a key, or None with a remark where it has none."""
    try:
        if len(key) > limits.key_length:
            raise Malformed(describe_excess(len(key), limits.key_length, "characters"))
        try:
            path = _split_key(key)
        except UnicodeDecodeError as error:
            remarks.append(f"{describe_field(position, key)}: {describe_bad_byte(error)}")
            path = split_name(unescape_replacing(key))
        if len(path[0]) >= limits.depth:
            raise Malformed(describe_excess(len(path[0]) + 1, limits.depth, "levels"))
    except Malformed as error:
        remarks.append(f"{describe_field(position, key)}: {error}")
        return None
    return path


def describe_field(position: int, key: str) -> str:
    """Return which field of a form a remark is about."""
    return f"field {position + 1} ({quote_key(key)})"


@lru_cache(maxsize=2048)  # most keys of a new layout are known from others
def _split_key(key: str) -> Path:
    """Split a percent-encoded key. Raises Malformed, UnicodeDecodeError."""
    return split_name(unescape(key))


def split_name(name: str) -> Path:
    """Split `a[b][c]`. As for PHP, what follows a `]` that is no `[` does not count. Raises Malformed."""
    first, bracket, rest = _JUNK_IN_FRONT.sub("", name).partition("[")
    if not first:
        raise Malformed("it has no name, name[key][key] is expected")
    path = [first]
    while bracket == "[":
        key, closed, rest = rest.partition("]")
        if not closed:
            raise Malformed("its brackets do not pair up, name[key][key] is expected")
        path.append(key)
        bracket, rest = rest[:1], rest[1:]
    return tuple(path[:-1]), path[-1]


def _insert(
    root: _Map, parents: tuple[str, ...], last: str, position: int, appended: dict[int, tuple[int, int]]
) -> None:
    """Insert a position under its path. A nested value wins over a scalar, the last of two scalars over the first."""
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


def _next_index(node: _Map, appended: dict[int, tuple[int, int]]) -> str:
    """Return one more than the highest index in a map.

    `appended` has, by the map's identity, its length and next index at the last call: only newer keys are looked at, so
    that appending stays linear.
    """
    seen, index = appended.get(id(node), (0, 0))
    newer = islice(reversed(node), len(node) - seen)
    index = max([index, *(int(key) + 1 for key in newer if is_index(key))])
    appended[id(node)] = (len(node) + 1, index + 1)
    return str(index)


def _make_lists(node: _Map) -> None:
    """Turn the maps inside that count 0, 1, 2… into lists."""
    for key, value in node.items():
        if isinstance(value, dict):
            _make_lists(value)
            node[key] = list_if_indexed(value)


def is_index(key: str) -> bool:
    """Return whether a key is a list's index (0, 1, 27) and not a name: ASCII digits, no leading zero."""
    return key.isascii() and key.isdigit() and (key[0] != "0" or key == "0")


def list_if_indexed(node: dict[str, _T]) -> list[_T] | dict[str, _T]:
    """Return the values of a map as a list if its keys count 0, 1, 2…, else the map."""
    counts = "0" in node and all(map(eq, node, map(str, count())))  # the first test is cheap, and enough for most maps
    return list(node.values()) if counts else node
