"""YAML with the place of every value, and without its surprises.

Booleans are `true` and `false` only (`on`, `yes`, `no` are words), there are no dates, no octal and no base-60 numbers,
every key is text as it was written, and a key stands once. What people do by accident (a phone number or a template
without quotes) is named as that accident. The rest of the project sees plain values and asks `Document` for places.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from relay.config.findings import Findings, Position, YamlPath
from relay.config.yaml_errors import explain_syntax_error

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

_DEPTH = 40
_VALUES = 50_000  # aliases within aliases multiply: ten lines can mean billions of values
_WORDS: Mapping[str, Plain] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+")
_CODE = re.compile(r"\+[0-9]{5,}|[-+]?[0-9]{11,}")  # a phone number or a long code: its sign or its end would be lost
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Document:
    """A parsed file: plain values, and where each stands."""

    name: str
    value: Plain
    values: Mapping[YamlPath, Position]
    keys: Mapping[YamlPath, Position]

    def mark(self, path: YamlPath) -> Position:
        """Find the value at a path, or the nearest parent that exists."""
        return _nearest(path, self.values)

    def key(self, path: YamlPath) -> Position:
        """Find the key at a path (of a list item: the item), or the nearest parent's."""
        while path and path not in self.keys and path not in self.values:
            path = path[:-1]
        return self.keys.get(path) or self.mark(path)


def parse(text: str, findings: Findings) -> Document:
    """Read YAML; what can still be read after an accident is read as the text it was meant to be.

    Raises ConfigError at once where the syntax leaves nothing to read; accidents go to `findings`.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        builder = _Builder(text, findings)
        value = builder.build(node, ()) if node else None
    except _RefusedError as refused:
        findings.fail(refused.mark, refused.text)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # \U and %YAML with absurd numbers are not YAMLErrors
        findings.fail(*explain_syntax_error(error, text))
    for mark in loader.unused_anchors():
        findings.error(mark, "a text that starts with & is read as an anchor, and nothing refers to it: quote it")
    return Document(findings.file, value, builder.values, builder.keys)


class _RefusedError(Exception):
    """What is YAML and still not read."""

    def __init__(self, mark: Position, text: str) -> None:
        super().__init__(text)
        self.mark = mark
        self.text = text


class _Loader(yaml.SafeLoader):
    """Compose nodes, bounded in depth, without tags."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._anchored: dict[str, Position] = {}
        self._used: set[str] = set()

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.check_event()  # fills current_event
        self._inspect(self.current_event)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def unused_anchors(self) -> list[Position]:
        return [mark for anchor, mark in self._anchored.items() if anchor not in self._used]

    def _inspect(self, event: yaml.NodeEvent) -> None:
        if getattr(event, "tag", None) is not None:
            raise _RefusedError(_mark(event), "a text that starts with ! is read as a tag: quote it")
        if self._depth >= _DEPTH:
            raise _RefusedError(_mark(event), f"nested deeper than {_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            self._used.add(str(event.anchor))
        elif event.anchor is not None:
            self._anchored[event.anchor] = _mark(event)


class _Builder:
    """Turn nodes into plain values and note their places."""

    def __init__(self, text: str, findings: Findings) -> None:
        self.values: dict[YamlPath, Position] = {}
        self.keys: dict[YamlPath, Position] = {}
        self._text = text
        self._findings = findings
        self._open: list[Node] = []

    def build(self, node: Node, path: YamlPath) -> Plain:
        self.values[path] = _mark(node)
        if len(self.values) > _VALUES:
            raise _RefusedError(_mark(node), f"more than {_VALUES} values, aliases counted each time")
        if isinstance(node, CollectionNode):
            return self._collection(node, path)
        return self._scalar(node)

    def _collection(self, node: CollectionNode, path: YamlPath) -> Plain:
        if node in self._open:
            raise _RefusedError(_mark(node), "an anchor that contains itself")
        self._open.append(node)
        value: Plain
        if isinstance(node, SequenceNode):
            value = [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        else:
            value = self._mapping(node, path)
        self._open.pop()
        return value

    def _scalar(self, node: Node) -> Plain:
        text = str(node.value)
        if _SURROGATE.search(text):
            self._findings.error(_mark(node), "half of a character (\\ud800 to \\udfff): write the whole character")
            return ""
        if not _is_bare(node):
            return text
        if _CODE.fullmatch(text):
            self._findings.error(
                _mark(node), "a phone number or a long code without quotes is read as a number: quote it"
            )
            return text
        return _plain(text)

    def _mapping(self, node: CollectionNode, path: YamlPath) -> Plain:
        if _is_template(node):
            source = self._text[node.start_mark.index : node.end_mark.index]
            self._findings.error(_mark(node), "{{ … }} without quotes is read as a mapping: quote it")
            return source
        result: dict[str, Plain] = {}
        for key, value in node.value:
            name = self._key(key)
            if name is not None and self._is_new(name, key, path):
                self.keys[*path, name] = _mark(key)
                result[name] = self.build(value, (*path, name))
        return result

    def _key(self, node: Node) -> str | None:
        if not isinstance(node, ScalarNode):
            self._findings.error(_mark(node), "a key must be a text: quote it")
        elif node.value == "<<" and _is_bare(node):
            self._findings.error(_mark(node), "merge keys (<<) are not supported: write the keys out")
        else:
            return str(node.value)
        return None

    def _is_new(self, name: str, node: Node, path: YamlPath) -> bool:
        first = self.keys.get((*path, name))
        if first:
            self._findings.error(_mark(node), f"{name} is here twice, first at {first[0]}:{first[1]}: keep one")
        return first is None


def _plain(text: str) -> Plain:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _is_bare(node: Node) -> bool:
    return getattr(node, "style", None) is None


def _is_template(node: CollectionNode) -> bool:
    """Tell `{{ x }}` by its shape: a flow mapping whose one key is a flow mapping."""
    return bool(node.flow_style) and len(node.value) == 1 and isinstance(node.value[0][0], MappingNode)


def _mark(place: Node | yaml.Event) -> Position:
    mark = place.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _nearest(path: YamlPath, marks: Mapping[YamlPath, Position]) -> Position:
    while path and path not in marks:
        path = path[:-1]
    return marks.get(path, (1, 1))
