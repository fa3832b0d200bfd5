"""Parse YAML into plain values with their positions, without YAML's surprises.

Booleans are `true` and `false` only (`on`, `yes`, `no` are words), there are no dates, no octal and no base-60 numbers,
every key is a text as it was written, and a key may not be repeated. `<<` merges the keys of other mappings. Common
accidents (a phone number or a template without quotes) are reported as what they are. The rest of the project sees
plain values, and asks `Document` for their positions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from relay.config.findings import Findings, Position
from relay.config.yaml_errors import TYPOGRAPHIC_QUOTES, explain_syntax_error, unquoted_problem
from relay.config.yaml_loader import Anchors, Loader, RefusedError, position_of
from relay.errors import YamlPath

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

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
        return self.values.get(path, Position(1, 1))

    def key_position(self, path: YamlPath) -> Position:
        """Return the position of the key at a path (of a list item: of the item), or of its nearest parent."""
        while path and path not in self.keys and path not in self.values:
            path = path[:-1]
        return self.keys.get(path) or self.position(path)


def parse(text: str, findings: Findings, *, file: str = "", anchors: Anchors | None = None) -> Document:
    """Parse YAML. Common accidents are added to `findings`, and read as the text that was meant.

    `file` is the name of an included file, `anchors` are those that it may refer to; whoever gives them reports the
    unused ones. Raises ConfigError at once where the syntax leaves nothing to read.
    """
    known = Anchors() if anchors is None else anchors
    try:
        node = Loader(text, file, known).get_single_node()
        builder = _Builder(findings)
        value = builder.build(node, ()) if node else None
    except RefusedError as refused:
        findings.fail(refused.position, refused.message)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # \U and %YAML with absurd numbers are not YAMLErrors
        (line, column), message = explain_syntax_error(error, text)
        findings.fail(Position(line, column, file), message)
    if anchors is None:
        known.report_unused(findings)
    return Document(value, builder.values, builder.keys)


class _Builder:
    """Builds plain values from nodes, and collects their positions."""

    def __init__(self, findings: Findings) -> None:
        self.values: dict[YamlPath, Position] = {}
        self.keys: dict[YamlPath, Position] = {}
        self._findings = findings
        self._parents: list[Node] = []
        self._merged = 0

    def build(self, node: Node, path: YamlPath) -> Plain:
        self.values[path] = position_of(node)
        if len(self.values) > _MAX_VALUES:
            raise RefusedError(position_of(node), f"more than {_MAX_VALUES} values, aliases counted each time")
        if isinstance(node, CollectionNode):
            return self._collection(node, path)
        return self._scalar(node)

    def _collection(self, node: CollectionNode, path: YamlPath) -> Plain:
        if node in self._parents:
            raise RefusedError(position_of(node), "an anchor that contains itself")
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
            self._findings.error(
                position_of(node), "half of a character (\\ud800 to \\udfff): write the whole character"
            )
            return ""
        if not _is_unquoted(node):
            return text
        if problem := unquoted_problem(text):
            self._findings.error(position_of(node), problem)
            return text.strip(TYPOGRAPHIC_QUOTES).strip()
        if _LONG_NUMBER.fullmatch(text):
            self._findings.error(
                position_of(node), "a phone number or a long code without quotes is read as a number: quote it"
            )
            return text
        return _scalar_value(text)

    def _mapping(self, node: CollectionNode, path: YamlPath) -> Plain:
        if _is_template(node):
            self._findings.error(position_of(node), "{{ … }} without quotes is read as a mapping: quote it")
            written = node.start_mark.buffer or ""
            return str(written[node.start_mark.pointer : node.end_mark.pointer])
        result: dict[str, Plain] = {}
        for name, (key, value) in self._entries(node).items():
            self.keys[*path, name] = position_of(key)
            result[name] = self.build(value, (*path, name))
        return result

    def _entries(self, node: CollectionNode) -> dict[str, tuple[Node, Node]]:
        """Return the keys and values of a mapping. Its own keys win over merged ones, of these the first one."""
        own: dict[str, tuple[Node, Node]] = {}
        merged: dict[str, tuple[Node, Node]] = {}
        for key, value in node.value:
            if _is_merge(key):
                for mapping in self._mappings_to_merge(value):
                    for name, entry in self._entries_of_merged(mapping).items():
                        merged.setdefault(name, entry)
            elif not isinstance(key, ScalarNode):
                self._findings.error(position_of(key), "a key must be a text: quote it")
            elif problem := unquoted_problem(key.value, is_key=True):
                self._findings.error(position_of(key), problem)
            elif key.value in own:
                first = position_of(own[key.value][0])
                self._findings.error(position_of(key), f"{key.value} is here twice, first at {first}: keep one")
            else:
                own[str(key.value)] = (key, value)
        return {**merged, **own}

    def _mappings_to_merge(self, node: Node) -> list[CollectionNode]:
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        mappings: list[CollectionNode] = [one for one in nodes if isinstance(one, MappingNode)]
        if len(mappings) < len(nodes):
            message = "<< merges mappings: write <<: *name, and &name where the mapping is written"
            self._findings.error(position_of(node), message)
        return mappings

    def _entries_of_merged(self, node: CollectionNode) -> dict[str, tuple[Node, Node]]:
        if node in self._parents:
            raise RefusedError(position_of(node), "an anchor that contains itself")
        self._parents.append(node)
        entries = self._entries(node)
        self._parents.pop()
        self._merged += len(entries) + 1
        if self._merged > _MAX_VALUES:
            raise RefusedError(position_of(node), f"more than {_MAX_VALUES} values are merged")
        return entries


def _scalar_value(text: str) -> Plain:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and key.value == "<<" and _is_unquoted(key)


def _is_unquoted(node: Node) -> bool:
    return getattr(node, "style", None) is None


def _is_template(node: CollectionNode) -> bool:
    """Return whether it is an unquoted `{{ x }}`: a flow mapping whose only key is a flow mapping."""
    return bool(node.flow_style) and len(node.value) == 1 and isinstance(node.value[0][0], MappingNode)
