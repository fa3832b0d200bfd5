"""Parse YAML into plain values with their positions, without YAML's surprises.

Booleans are `true` and `false` only (`on`, `yes`, `no` are words), there are no dates, no octal and no base-60 numbers,
every key is a text as it was written, and a key may not be repeated. Common accidents (a phone number or a template
without quotes) are reported as what they are. The rest of the project sees plain values, and asks `Document` for their
positions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from relay.config.findings import Findings, Position
from relay.config.yaml_errors import explain_syntax_error
from relay.errors import YamlPath

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

_MAX_DEPTH = 40
_MAX_VALUES = 50_000  # aliases within aliases multiply: ten lines can mean billions of values
_CONSTANTS: Mapping[str, Plain] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+")
_LONG_NUMBER = re.compile(r"\+[0-9]{5,}|[-+]?[0-9]{11,}")  # a phone number or a long code: as a number it loses digits
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Document:
    """A parsed file: plain values, and the position of each value and key."""

    value: Plain
    values: Mapping[YamlPath, Position]
    keys: Mapping[YamlPath, Position]

    def position(self, path: YamlPath) -> Position:
        """Return the position of the value at a path, or of its nearest parent that exists."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    def key_position(self, path: YamlPath) -> Position:
        """Return the position of the key at a path (of a list item: of the item), or of its nearest parent."""
        while path and path not in self.keys and path not in self.values:
            path = path[:-1]
        return self.keys.get(path) or self.position(path)


def parse(text: str, findings: Findings) -> Document:
    """Parse YAML. Common accidents are added to `findings`, and read as the text that was meant.

    Raises ConfigError at once where the syntax leaves nothing to read.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        builder = _Builder(text, findings)
        value = builder.build(node, ()) if node else None
    except _RefusedError as refused:
        findings.fail(refused.position, refused.message)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # \U and %YAML with absurd numbers are not YAMLErrors
        findings.fail(*explain_syntax_error(error, text))
    for position in loader.unused_anchors():
        findings.error(position, "a text that starts with & is read as an anchor, and nothing refers to it: quote it")
    return Document(value, builder.values, builder.keys)


class _RefusedError(Exception):
    """It is YAML, and beyond what is accepted here."""

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(message)
        self.position = position
        self.message = message


class _Loader(yaml.SafeLoader):
    """Composes nodes, bounded in depth, without tags."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._anchors: dict[str, Position] = {}
        self._used: set[str] = set()

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.check_event()  # sets current_event
        self._check(self.current_event)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def unused_anchors(self) -> list[Position]:
        return [position for anchor, position in self._anchors.items() if anchor not in self._used]

    def _check(self, event: yaml.NodeEvent) -> None:
        if getattr(event, "tag", None) is not None:
            raise _RefusedError(_position(event), "a text that starts with ! is read as a tag: quote it")
        if self._depth >= _MAX_DEPTH:
            raise _RefusedError(_position(event), f"nested deeper than {_MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            self._used.add(str(event.anchor))
        elif event.anchor is not None:
            self._anchors[event.anchor] = _position(event)


class _Builder:
    """Builds plain values from nodes, and collects their positions."""

    def __init__(self, text: str, findings: Findings) -> None:
        self.values: dict[YamlPath, Position] = {}
        self.keys: dict[YamlPath, Position] = {}
        self._text = text
        self._findings = findings
        self._parents: list[Node] = []

    def build(self, node: Node, path: YamlPath) -> Plain:
        self.values[path] = _position(node)
        if len(self.values) > _MAX_VALUES:
            raise _RefusedError(_position(node), f"more than {_MAX_VALUES} values, aliases counted each time")
        if isinstance(node, CollectionNode):
            return self._collection(node, path)
        return self._scalar(node)

    def _collection(self, node: CollectionNode, path: YamlPath) -> Plain:
        if node in self._parents:
            raise _RefusedError(_position(node), "an anchor that contains itself")
        self._parents.append(node)
        value: Plain
        if isinstance(node, SequenceNode):
            value = [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        else:
            value = self._mapping(node, path)
        self._parents.pop()
        return value

    def _scalar(self, node: Node) -> Plain:
        text = str(node.value)
        if _SURROGATE.search(text):
            self._findings.error(_position(node), "half of a character (\\ud800 to \\udfff): write the whole character")
            return ""
        if not _is_unquoted(node):
            return text
        if _LONG_NUMBER.fullmatch(text):
            self._findings.error(
                _position(node), "a phone number or a long code without quotes is read as a number: quote it"
            )
            return text
        return _scalar_value(text)

    def _mapping(self, node: CollectionNode, path: YamlPath) -> Plain:
        if _is_template(node):
            template = self._text[node.start_mark.index : node.end_mark.index]
            self._findings.error(_position(node), "{{ … }} without quotes is read as a mapping: quote it")
            return template
        result: dict[str, Plain] = {}
        for key, value in node.value:
            name = self._key_name(key)
            if name is not None and self._is_new(name, key, path):
                self.keys[*path, name] = _position(key)
                result[name] = self.build(value, (*path, name))
        return result

    def _key_name(self, node: Node) -> str | None:
        if not isinstance(node, ScalarNode):
            self._findings.error(_position(node), "a key must be a text: quote it")
        elif node.value == "<<" and _is_unquoted(node):
            self._findings.error(_position(node), "merge keys (<<) are not supported: write the keys out")
        else:
            return str(node.value)
        return None

    def _is_new(self, name: str, node: Node, path: YamlPath) -> bool:
        first = self.keys.get((*path, name))
        if first:
            self._findings.error(_position(node), f"{name} is here twice, first at {first[0]}:{first[1]}: keep one")
        return first is None


def _scalar_value(text: str) -> Plain:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _is_unquoted(node: Node) -> bool:
    return getattr(node, "style", None) is None


def _is_template(node: CollectionNode) -> bool:
    """Return whether it is an unquoted `{{ x }}`: a flow mapping whose only key is a flow mapping."""
    return bool(node.flow_style) and len(node.value) == 1 and isinstance(node.value[0][0], MappingNode)


def _position(part: Node | yaml.Event) -> Position:
    mark = part.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
