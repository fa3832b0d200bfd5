"""Compile the `where` of a route once, to check it for every event."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from relay.errors import CompileErrors, LocatedMessage, YamlPath
from relay.model import Record
from relay.routing.clauses import ConditionField, add_error, compile_field
from relay.routing.failures import Failure, SupportsFields
from relay.routing.nodes import AllOf, AnyOf, Node, Not

_TREES = ("all", "any", "not")
_VALUES = "json"  # the field of a view that has nested values
_NEEDS_FIELDS = "needs a mapping of fields to values, such as {status_id: 142}"
_NEEDS_CONDITIONS = "needs a list of conditions, such as [{price: {gt: 0}}, {tags: VIP}]"
_EMPTY = "is empty: write at least one condition, or leave it out"


class ConditionErrors(CompileErrors):
    """A condition cannot be compiled."""


class Condition(Record):
    """A compiled condition."""

    root: Node
    used_fields: tuple[tuple[YamlPath, str], ...]
    """The fields of the view that it reads, each with its path.

    A custom field counts as `custom`; `changed` of a field counts as its `old_<field>` too; a field of a view that is
    looked into is `contact.email`.
    """
    tree: object = None  # as it was compiled from

    def holds(self, view: SupportsFields) -> bool:
        """Return whether it holds; why it does not costs several times as much. Never raises."""
        return self.root.holds(view)

    def check(self, view: SupportsFields) -> Failure | None:
        """Return None if it holds, else the first reason why not. Never raises."""
        return None if self.root.holds(view) else self.root.failure(view)


def compile_condition(
    tree: object, path: str = "where", views: Collection[str] = (), changing: Collection[str] = ()
) -> Condition:
    """Compile a mapping of the YAML. Raises ConditionErrors with all that is wrong with it.

    `views` has the names of further views to look into: `contact: {email: {exists: true}}`. The view to check must
    return each under its name: a view, a list of views, or None. Those of `changing` are one view and have old values.
    """
    compiler = _ConditionCompiler(views, changing)
    root = compiler.all_of(tree, (path,))
    if compiler.errors:
        raise ConditionErrors(compiler.errors)
    return Condition(root=root, used_fields=tuple(compiler.used_fields), tree=tree)


def uses_fields(tree: object, names: Collection[str]) -> bool:
    """Return whether a condition reads any of these fields, however deep in `all`, `any` and `not`."""
    if isinstance(tree, list):
        return any(uses_fields(branch, names) for branch in tree)
    if not isinstance(tree, Mapping):
        return False
    return any(key in names or (key in _TREES and uses_fields(value, names)) for key, value in tree.items())


class _ConditionCompiler:
    """Compiles the parts of a condition and collects what is wrong with them."""

    def __init__(self, views: Collection[str], changing: Collection[str]) -> None:
        self.views = views
        self.changing = changing
        self.errors: list[LocatedMessage] = []
        self.used_fields: list[LocatedMessage] = []

    def add_error(self, path: YamlPath, message: str) -> Node:
        return add_error(self.errors, path, message)

    def all_of(self, tree: object, path: YamlPath) -> Node:
        if not isinstance(tree, Mapping):
            return self.add_error(path, f"{_NEEDS_FIELDS}, saw {_format_kind(tree)}")
        if not tree:
            return self.add_error(path, _EMPTY)
        parts = [self.condition(key, value, (*path, key)) for key, value in tree.items()]
        return parts[0] if len(parts) == 1 else AllOf(parts=tuple(parts))

    def condition(self, key: object, value: object, path: YamlPath) -> Node:
        if key == "all":
            return AllOf(parts=self.branches(value, path))
        if key == "any":
            return AnyOf(path=path, parts=self.branches(value, path))
        if key == "not":
            return Not(path=path, part=self.all_of(value, path))
        if key == "custom":
            return self.custom_fields(value, path)
        if not isinstance(key, str):
            return self.add_error(path, f"{key} is no field: a field is a name")
        if key in self.views:
            return self.further_view(key, value, path)
        self.used_fields.append((path, key))
        if isinstance(value, Mapping) and "changed" in value:
            self.used_fields.append(((*path, "changed"), f"old_{key}"))
        return compile_field(_event_field(key), value, path, self.errors)

    def branches(self, tree: object, path: YamlPath) -> tuple[Node, ...]:
        """Compile the conditions of `any` and `all`: a list, or a mapping of which every entry is one."""
        if isinstance(tree, list) and tree:
            return tuple(self.all_of(branch, (*path, at)) for at, branch in enumerate(tree))
        if isinstance(tree, Mapping) and tree:
            return tuple(self.condition(key, value, (*path, key)) for key, value in tree.items())
        return (self.add_error(path, _NEEDS_CONDITIONS if tree else _EMPTY),)

    def custom_fields(self, tree: object, path: YamlPath, view: str = "") -> Node:
        if not isinstance(tree, Mapping) or not tree:
            return self.add_error(path, 'needs a mapping of custom fields, by name, id or code: {"Город": Москва}')
        self.used_fields.append((path, f"{view}.custom" if view else "custom"))
        fields = {key: _further_custom_field(view, str(key)) if view else _event_custom_field(str(key)) for key in tree}
        parts = [compile_field(fields[key], value, (*path, key), self.errors) for key, value in tree.items()]
        return parts[0] if len(parts) == 1 else AllOf(parts=tuple(parts))

    def further_view(self, view: str, tree: object, path: YamlPath) -> Node:
        if not isinstance(tree, Mapping) or not tree:
            example = "{status: 201}" if view == "answer" else "{email: {exists: true}}"
            return self.add_error(path, f"needs a mapping of the {view}'s fields: {example}")
        parts = [self.further_field(view, str(key), value, (*path, key)) for key, value in tree.items()]
        return parts[0] if len(parts) == 1 else AllOf(parts=tuple(parts))

    def further_field(self, view: str, field: str, value: object, path: YamlPath) -> Node:
        if field == "custom":
            return self.custom_fields(value, path, view)
        self.used_fields.append((path, f"{view}.{field}"))
        if field == _VALUES:
            return self.values(view, value, path)
        further = _further_field(view, field, lambda one: one.get(field))
        if view in self.changing:
            further = replace(further, has_old=True, view=view)
            if isinstance(value, Mapping) and "changed" in value:
                self.used_fields.append(((*path, "changed"), f"{view}.old_{field}"))
        return compile_field(further, value, path, self.errors)

    def values(self, view: str, tree: object, path: YamlPath) -> Node:
        """Compile the conditions on what is within a field of nested values, each by its place: `order.total`."""
        if not isinstance(tree, Mapping) or not tree:
            return self.add_error(path, "needs a mapping of places in it: {order.number: {exists: true}}")
        fields = {key: _further_value(view, str(key)) for key in tree}
        parts = [compile_field(fields[key], value, (*path, key), self.errors) for key, value in tree.items()]
        return parts[0] if len(parts) == 1 else AllOf(parts=tuple(parts))


def _format_kind(tree: object) -> str:
    if isinstance(tree, list):
        return "a list"
    return "a text" if isinstance(tree, str) else "a number or nothing"


def _event_field(name: str) -> ConditionField:
    return ConditionField(name=name, read=lambda view: view.get(name), has_old=True)


def _event_custom_field(key: str) -> ConditionField:
    return ConditionField(name=f'custom "{key}"', read=lambda view: view.custom.get(key), has_old=False)


def _further_custom_field(view: str, key: str) -> ConditionField:
    return _further_field(view, f'custom "{key}"', lambda one: one.custom.get(key))


def _further_value(view: str, place: str) -> ConditionField:
    names = place.split(".")
    return _further_field(view, f'{_VALUES} "{place}"', lambda one: _value_at(one.get(_VALUES), names))


def _value_at(value: Any, names: Sequence[str]) -> object:
    """Return the text at a place within nested values; of a list those of all its items, or of the one of a number."""
    if isinstance(value, list) and not (names and names[0].isdigit()):
        found = [one for item in value if (one := _value_at(item, names)) is not None]
        return [text for one in found for text in (one if isinstance(one, list) else [one])]
    if not names:
        return value if isinstance(value, str) else None
    if isinstance(value, list):
        at = int(names[0])
        return _value_at(value[at], names[1:]) if at < len(value) else None
    return _value_at(value.get(names[0]), names[1:]) if isinstance(value, Mapping) else None


def _further_field(view: str, field: str, read: Callable[[SupportsFields], object]) -> ConditionField:
    """Return a field of a further view. Of a list of views, its value is the values of all of them."""

    def read_further(whole: SupportsFields) -> object:
        found: Any = whole.get(view)
        if not isinstance(found, list):
            return None if found is None else read(found)
        values = [value for one in found if (value := read(one)) is not None]
        return [item for value in values for item in (value if isinstance(value, list) else [value])]

    place = view if view == "answer" else "hook"
    return ConditionField(name=f"{view} {field}", read=read_further, has_old=False, place=place)
