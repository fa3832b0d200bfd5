"""Compose the nodes of a YAML text: bounded in depth, without tags, with the anchors of the file that includes it."""

from dataclasses import dataclass, field

import yaml
from yaml.nodes import Node, ScalarNode

from relay.config.findings import Findings, Position

_MAX_DEPTH = 40


class RefusedError(Exception):
    """It is YAML, and beyond what is accepted here."""

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(message)
        self.position = position
        self.message = message


@dataclass
class Anchors:
    """The anchors (&name) of a file, and which of them are referred to. An included file has the main one's."""

    nodes: dict[str, Node] = field(default_factory=dict)
    used: set[Node] = field(default_factory=set)
    inherited: frozenset[str] = frozenset()

    def for_included_file(self) -> "Anchors":
        """Return the anchors that an included file begins with: what it refers to counts as used here too."""
        return Anchors(dict(self.nodes), self.used, frozenset(self.nodes))

    def report_unused(self, findings: Findings) -> None:
        """Report the file's own anchors of texts that nothing refers to: as a rule such a text was not meant as one."""
        for name, node in self.nodes.items():
            if name not in self.inherited and node not in self.used and isinstance(node, ScalarNode):
                message = "a text that starts with & is read as an anchor, and nothing refers to it: quote it"
                findings.error(position_of(node), message)


class Loader(yaml.SafeLoader):
    """Composes nodes. The marks of each have the name of its file."""

    def __init__(self, text: str, file: str, anchors: Anchors) -> None:
        super().__init__(text)
        self.name = file
        self.anchors = dict(anchors.nodes)
        self._anchors = anchors
        self._depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Compose the next node, and remember its anchor. Raises RefusedError."""
        self.check_event()  # sets current_event
        event = self.current_event
        self._check(event)
        self._depth += 1
        try:
            node = super().compose_node(parent, index)
        finally:
            self._depth -= 1
        if isinstance(event, yaml.AliasEvent) and node is not None:
            self._anchors.used.add(node)
        elif event.anchor is not None and node is not None:
            self._anchors.nodes[event.anchor] = node
        return node

    def _check(self, event: yaml.NodeEvent) -> None:
        if getattr(event, "tag", None) is not None:
            raise RefusedError(position_of(event), "a text that starts with ! is read as a tag: quote it")
        if self._depth >= _MAX_DEPTH:
            raise RefusedError(position_of(event), f"nested deeper than {_MAX_DEPTH} levels")


def position_of(part: Node | yaml.Event) -> Position:
    """Return where a node or event begins."""
    mark = part.start_mark
    return Position(mark.line + 1, mark.column + 1, str(mark.name)) if mark else Position(1, 1)
