"""`where` of a route: a tree of the YAML, compiled once, checked for every event."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from relay.errors import RelayError
from relay.model import Record
from relay.routing.clauses import ConditionField, Finding, add_error, compile_field
from relay.routing.failures import Failure, Path, SupportsFields
from relay.routing.nodes import AllOf, AnyOf, Node, Not

_TREES = ("all", "any", "not")
_EMPTY = "is empty: write at least one condition, or leave it out"


class ConditionErrors(RelayError):
    """A condition cannot be compiled. `errors` has every finding with the path of the key or value it is about."""

    def __init__(self, errors: Iterable[Finding]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(f"{'.'.join(map(str, path))}: {message}" for path, message in self.errors))


class Condition(Record):
    """A compiled condition."""

    root: Node
    used: tuple[tuple[Path, str], ...]

    def check(self, view: SupportsFields) -> Failure | None:
        """Return None when it holds, else the first reason why not. Never raises."""
        return None if self.root.holds(view) else self.root.failure(view)

    def fields(self) -> Iterable[tuple[Path, str]]:
        """List the fields of the view that it looks at, each with its path.

        A custom field counts as `custom`, `changed` on a field as its `old_<field>` too, and a field of a view that
        is looked up as `contact.email`.
        """
        return self.used


def compile_condition(tree: object, path: str = "where", fetched: Collection[str] = ()) -> Condition:
    """Compile a mapping of the YAML, or raise ConditionErrors with everything that is wrong with it.

    `fetched` names the views that are looked up: `contact: {email: {exists: true}}`. The view that is checked gives
    each under its name: a view, a list of views, or None.
    """
    reader = _ConditionCompiler(fetched)
    root = reader.all_of(tree, (path,))
    if reader.errors:
        raise ConditionErrors(reader.errors)
    return Condition(root=root, used=tuple(reader.used))


def uses_fields(tree: object, names: Collection[str]) -> bool:
    """Return whether a condition looks at any of these fields, however deep in `all`, `any` and `not`."""
    if isinstance(tree, list):
        return any(uses_fields(branch, names) for branch in tree)
    if not isinstance(tree, Mapping):
        return False
    return any(key in names or (key in _TREES and uses_fields(value, names)) for key, value in tree.items())


class _ConditionCompiler:
    """Walks the tree and collects what is wrong."""

    def __init__(self, fetched: Collection[str]) -> None:
        self.fetched = fetched
        self.errors: list[Finding] = []
        self.used: list[Finding] = []

    def wrong(self, path: Path, message: str) -> Node:
        return add_error(self.errors, path, message)

    def all_of(self, tree: object, path: Path) -> Node:
        if not isinstance(tree, Mapping):
            return self.wrong(path, f"needs a mapping of fields to values, saw a {type(tree).__name__}")
        if not tree:
            return self.wrong(path, _EMPTY)
        parts = [self.entry(key, value, (*path, key)) for key, value in tree.items()]
        return parts[0] if len(parts) == 1 else AllOf(parts=tuple(parts))

    def entry(self, key: object, value: object, path: Path) -> Node:
        if key == "all":
            return AllOf(parts=self.branches(value, path))
        if key == "any":
            return AnyOf(path=path, parts=self.branches(value, path))
        if key == "not":
            return Not(path=path, part=self.all_of(value, path))
        if key == "custom":
            return self.custom(value, path)
        if not isinstance(key, str):
            return self.wrong(path, f"{key} is no field: a field is a name")
        if key in self.fetched:
            return self.of_fetched(key, value, path)
        self.used.append((path, key))
        if isinstance(value, Mapping) and "changed" in value:
            self.used.append(((*path, "changed"), f"old_{key}"))
        return compile_field(_event_field(key), value, path, self.errors)

    def branches(self, tree: object, path: Path) -> tuple[Node, ...]:
        """Read what `any` and `all` hold: a list of conditions, or a mapping whose every entry is one."""
        if isinstance(tree, list) and tree:
            return tuple(self.all_of(branch, (*path, at)) for at, branch in enumerate(tree))
        if isinstance(tree, Mapping) and tree:
            return tuple(self.entry(key, value, (*path, key)) for key, value in tree.items())
        return (self.wrong(path, "needs a list of conditions" if tree else _EMPTY),)

    def custom(self, tree: object, path: Path, owner: str = "") -> Node:
        if not isinstance(tree, Mapping) or not tree:
            return self.wrong(path, 'needs a mapping of custom fields, by name, id or code: {"Город": Москва}')
        self.used.append((path, f"{owner}.custom" if owner else "custom"))
        subjects = {
            key: _fetched_custom_field(owner, str(key)) if owner else _event_custom_field(str(key)) for key in tree
        }
        parts = [compile_field(subjects[key], value, (*path, key), self.errors) for key, value in tree.items()]
        return parts[0] if len(parts) == 1 else AllOf(parts=tuple(parts))

    def of_fetched(self, view: str, tree: object, path: Path) -> Node:
        if not isinstance(tree, Mapping) or not tree:
            return self.wrong(path, f"needs a mapping of the {view}'s fields: {{email: {{exists: true}}}}")
        parts = [self.field_of_fetched(view, str(key), value, (*path, key)) for key, value in tree.items()]
        return parts[0] if len(parts) == 1 else AllOf(parts=tuple(parts))

    def field_of_fetched(self, view: str, field: str, value: object, path: Path) -> Node:
        if field == "custom":
            return self.custom(value, path, view)
        self.used.append((path, f"{view}.{field}"))
        return compile_field(_fetched_field(view, field, lambda one: one.get(field)), value, path, self.errors)


def _event_field(name: str) -> ConditionField:
    return ConditionField(name=name, read=lambda view: view.get(name), has_old=True)


def _event_custom_field(key: str) -> ConditionField:
    return ConditionField(name=f'custom "{key}"', read=lambda view: view.custom.get(key), has_old=False)


def _fetched_custom_field(view: str, key: str) -> ConditionField:
    return _fetched_field(view, f'custom "{key}"', lambda one: one.custom.get(key))


def _fetched_field(view: str, field: str, read: Callable[[SupportsFields], object]) -> ConditionField:
    """Make the subject of a looked up view's field: of several views, what each of them has."""

    def seen(whole: SupportsFields) -> object:
        found: Any = whole.get(view)
        if not isinstance(found, list):
            return None if found is None else read(found)
        values = [value for one in found if (value := read(one)) is not None]
        return [text for value in values for text in (value if isinstance(value, list) else [value])]

    return ConditionField(name=f"{view} {field}", read=seen, has_old=False)
