"""Find the fields of views that a template reads, and the tables in which it looks them up."""

from collections.abc import Iterator, Mapping
from typing import Final

from jinja2 import nodes

from relay.model import Record

_FORGIVING: Final = frozenset({"default", "d", "omit"})  # filters that do without a value
_NO_VIEWS: Final = frozenset({"loop", "range", "timezone"})
_LISTS: Final = {"contacts": "contact"}  # views that are lists -> the view of one


class FieldRead(Record):
    """A field that a template reads of a view; of several contacts it is the `contact`'s.

    `table`: where it looks the value up. `optional`: it does without one.
    """

    view: str
    field: str
    custom: bool = False
    table: str = ""
    optional: bool = False


def read_fields(template: nodes.Template) -> tuple[FieldRead, ...]:
    """Return the fields that a template reads, each once."""
    return tuple(dict.fromkeys(_Reader(_loops(template)).read(template)))


def _loops(template: nodes.Template) -> dict[str, str]:
    """Return the variables of loops over views, and the view that each is."""
    return {
        loop.target.name: _LISTS[loop.iter.name]
        for loop in template.find_all(nodes.For)
        if isinstance(loop.target, nodes.Name) and isinstance(loop.iter, nodes.Name) and loop.iter.name in _LISTS
    }


class _Reader:
    """Walks a syntax tree. `loops`: variables of loops, and the view that each is."""

    def __init__(self, loops: Mapping[str, str]) -> None:
        self._loops = loops

    def read(self, node: nodes.Node, table: str = "", *, optional: bool = False) -> Iterator[FieldRead]:
        """Yield the fields that are read within a node, whose value is looked up in a table, or may be missing."""
        if found := self._field(node):
            view, field, custom, forgiving = found
            yield FieldRead(view=view, field=field, custom=custom, table=table, optional=optional or forgiving)
        elif isinstance(node, nodes.Filter):
            yield from self._filter(node, table, optional=optional)
        elif isinstance(node, nodes.Or):
            yield from self.read(node.left, table, optional=True)
            yield from self.read(node.right, table, optional=optional)
        elif isinstance(node, nodes.If | nodes.CondExpr):
            yield from self.read(node.test, optional=True)
            for child in node.iter_child_nodes(exclude=("test",)):
                yield from self.read(child, table, optional=optional)
        else:
            for child in node.iter_child_nodes():
                yield from self.read(child, optional=optional and isinstance(node, nodes.Test | nodes.Not | nodes.And))

    def _filter(self, node: nodes.Filter, table: str, *, optional: bool) -> Iterator[FieldRead]:
        if node.name == "lookup" and node.args and isinstance(node.args[0], nodes.Const):
            table = str(node.args[0].value)
        if node.node is not None:
            yield from self.read(node.node, table, optional=optional or node.name in _FORGIVING)
        for argument in node.args:
            yield from self.read(argument)

    def _field(self, node: nodes.Node) -> tuple[str, str, bool, bool] | None:
        """Return the view and field of a node that reads one, whether it is a custom one and may be missing."""
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr == "get":
            key = node.args[0].value if node.args and isinstance(node.args[0], nodes.Const) else None
            found = self._of(node.node.node, key)
            return None if found is None else (*found, True)
        found = self._of(node.node, _key(node)) if isinstance(node, nodes.Getattr | nodes.Getitem) else None
        return None if found is None else (*found, False)

    def _of(self, owner: nodes.Node, key: object) -> tuple[str, str, bool] | None:
        if not isinstance(key, str):
            return None
        if isinstance(owner, nodes.Getattr | nodes.Getitem) and _key(owner) == "custom":
            view = self._view(owner.node)
            return None if view is None else (view, key, True)
        view = self._view(owner)
        return None if view is None or key in ("custom", "get") else (view, key, False)

    def _view(self, node: nodes.Node) -> str | None:
        if isinstance(node, nodes.Name):
            return self._loops.get(node.name, node.name)
        if isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Name) and isinstance(_key(node), int):
            return _LISTS.get(node.node.name)
        return None


def _key(node: nodes.Getattr | nodes.Getitem) -> object:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) else None


def used_fields(template: nodes.Template) -> Iterator[str]:
    """Yield what a template uses of views: `lead.price`, `contact.custom.Город`, or `contact` where it is all of it.

    What it sets itself is counted where it comes from.
    """
    loops = _loops(template)
    own = {name.name for name in template.find_all(nodes.Name) if name.ctx != "load"} - loops.keys()
    yield from _UsedFields(loops, frozenset(own)).walk(template)


class _UsedFields:
    """Walks a syntax tree. `loops`: variables of loops, and the view that each is; `own`: other variables it sets."""

    def __init__(self, loops: Mapping[str, str], own: frozenset[str]) -> None:
        self._loops = loops
        self._own = own | _NO_VIEWS
        self._reader = _Reader(loops)

    def walk(self, node: nodes.Node) -> Iterator[str]:
        found = self._reader._field(node)
        if found is not None:
            view, field, custom, _ = found
            if view not in self._own:
                yield f"{view}.custom.{field}" if custom else f"{view}.{field}"
            for argument in node.args if isinstance(node, nodes.Call) else ():
                yield from self.walk(argument)
        elif isinstance(node, nodes.Getattr | nodes.Getitem) and _key(node) == "custom":
            view_of = self._reader._view(node.node)
            yield from self.walk(node.node) if view_of is None else (f"{view_of}.custom",)
        elif isinstance(node, nodes.For) and isinstance(node.iter, nodes.Name) and node.iter.name in _LISTS:
            for child in node.iter_child_nodes(exclude=("iter",)):
                yield from self.walk(child)
        elif isinstance(node, nodes.Name):
            if node.ctx == "load" and node.name not in self._own:
                yield self._loops.get(node.name) or _LISTS.get(node.name, node.name)
        else:
            for child in node.iter_child_nodes():
                yield from self.walk(child)
