"""How the bracketed keys of a form nest: `a[b][0]` and `a[b][1]` are a list in a map in a map."""

from functools import lru_cache
from itertools import count, islice
from operator import eq
from typing import Any, TypeAlias, TypeVar

from relay.amocrm.escapes import describe_bad_byte, unescape
from relay.amocrm.limits import BodyLimits, describe_excess, quote_key
from relay.errors import Malformed
from relay.model import Record, Value

_T = TypeVar("_T")
_Node: TypeAlias = "int | list[_Node] | dict[str, _Node]"
"""A value's position among the fields, or what nests there."""
_Map: TypeAlias = "dict[str, _Node]"

_CACHED_FIELDS = 128  # of a body whose layout is cached: 256 of them stay within some megabytes
_APPEND = ""  # the key of `[]`


class Layout(Record):
    """How to nest the values of a form. Values are numbered: the texts by position, then the containers."""

    containers: list[dict[str, Value] | list[None]]  # empty ones, the outermost first; a list has its length already
    places: list[tuple[int, str | int, int]]  # number of the container, key or index in it, number of the value

    def fill(self, texts: list[str]) -> dict[str, Value]:
        """Return the nested values of a form with these texts."""
        values: list[Any] = [*texts, *[container.copy() for container in self.containers]]
        for container, key, value in self.places:
            values[container][key] = values[value]
        outermost: dict[str, Value] = values[len(texts)]
        return outermost


def layout_of(keys: tuple[str, ...], limits: BodyLimits) -> Layout:
    """Return the layout that the keys of a form describe. Raises Malformed."""
    return _cached_layout(keys, limits) if len(keys) <= _CACHED_FIELDS else _build_layout(keys, limits)


def _build_layout(keys: tuple[str, ...], limits: BodyLimits) -> Layout:
    layout = Layout(containers=[], places=[])
    _add_container(_nest(keys, limits), layout, len(keys))
    return layout


# Hooks of one kind have the same keys in the same order: most hooks need only be filled in.
_cached_layout = lru_cache(maxsize=256)(_build_layout)


def _add_container(node: "_Map | list[_Node]", layout: Layout, texts: int) -> int:
    """Add a container, and what nests in it, to a layout. Return its number."""
    number = texts + len(layout.containers)
    layout.containers.append({} if isinstance(node, dict) else [None] * len(node))
    for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
        value = inner if isinstance(inner, int) else _add_container(inner, layout, texts)
        layout.places.append((number, key, value))
    return number


def _nest(keys: tuple[str, ...], limits: BodyLimits) -> _Map:
    """Return the nesting that keys describe, with the position of each key in place of its value."""
    root: _Map = {}
    appended: dict[int, tuple[int, int]] = {}
    for position, key in enumerate(keys):
        if len(key) > limits.key_length:
            raise Malformed(
                f"{describe_field(position, key)}: {describe_excess(len(key), limits.key_length, 'characters')}"
            )
        try:
            parents, last = _split_key(key)
        except UnicodeDecodeError as error:
            raise Malformed(f"{describe_field(position, key)}: not UTF-8, {describe_bad_byte(error)}") from error
        if len(parents) >= limits.depth:
            raise Malformed(
                f"{describe_field(position, key)}: {describe_excess(len(parents) + 1, limits.depth, 'levels')}"
            )
        _insert(root, parents, last, position, appended)
    _make_lists(root)
    return root


def describe_field(position: int, key: str) -> str:
    """Return which field of a form an error is about."""
    return f"field {position + 1} ({quote_key(key)})"


@lru_cache(maxsize=2048)  # most keys of a new layout are known from others
def _split_key(key: str) -> tuple[tuple[str, ...], str]:
    """Split `a[b][c]`, percent-encoded or not, into its parents (a, b) and the last key."""
    name, bracket, rest = unescape(key).partition("[")
    keys = rest[:-1].split("][") if bracket else []
    paired = rest.endswith("]") if bracket else True
    if not name or not paired or "]" in name or any("[" in part or "]" in part for part in keys):
        raise Malformed(f"key {quote_key(key)}: its brackets do not pair up, name[key][key] is expected")
    path = (name, *keys)
    return path[:-1], path[-1]


def _insert(
    root: _Map, parents: tuple[str, ...], last: str, position: int, appended: dict[int, tuple[int, int]]
) -> None:
    """Insert a position under its keys. A nested value wins over a scalar, the last of two scalars over the first."""
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
