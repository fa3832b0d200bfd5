"""Find out what the templates of a content use, without rendering them."""

from collections.abc import Iterator, Mapping, Set
from typing import Final, TypeAlias

from jinja2 import TemplateError, nodes

from relay.rendering.template import SANDBOX, is_template

ConstantFields: TypeAlias = Mapping[str, Set[str] | None]
"""The fields of views that are the same for many events; None: the whole view is."""

_NO_VIEWS: Final = frozenset({"loop", "range", "timezone"})


def varies(value: object, constant: ConstantFields) -> bool:
    """Return whether a content can differ from event to event."""
    return any(_reads_varying(tree, constant) for tree in _trees(value))


def uses_source_timezone(value: object) -> bool:
    """Return whether a template writes a date in the source's time zone: `date` without a zone of its own."""
    return any(
        node.name == "date" and len(node.args) < 2 and not any(argument.key == "timezone" for argument in node.kwargs)
        for tree in _trees(value)
        for node in tree.find_all(nodes.Filter)
    )


def _trees(value: object) -> Iterator[nodes.Template]:
    """Yield the syntax trees of all templates in a value. Broken ones, which are reported elsewhere, are left out."""
    if isinstance(value, str) and is_template(value):
        try:
            yield SANDBOX.parse(value)
        except TemplateError:
            return
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _trees(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _trees(inner)


def _reads_varying(tree: nodes.Template, constant: ConstantFields) -> bool:
    local = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"} | _NO_VIEWS
    owners: set[int] = set()
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        assert isinstance(node, nodes.Getattr | nodes.Getitem)
        if isinstance(node.node, nodes.Name):
            owners.add(id(node.node))
            if node.node.name not in local and not _is_constant(node.node.name, _field(node), constant):
                return True
    names = (name.name for name in tree.find_all(nodes.Name) if id(name) not in owners)
    return any(name not in local and not _is_constant(name, None, constant) for name in names)


def _is_constant(view: str, field: str | None, constant: ConstantFields) -> bool:
    fields = constant.get(view, frozenset())
    return fields is None or field in fields


def _field(node: nodes.Getattr | nodes.Getitem) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else None
