"""Replace the names in a route's `where` by the ids that hooks carry, and report ids that the account does not have.

Names belong to an account: a route for several sources becomes one route for each of them, all under the same name.
That makes no difference to an event, because it has one source.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relay.amocrm.view_fields import VIEW_FIELDS
from relay.config.account_names import NOBODY, AccountNames, NameIndex, merge_names
from relay.config.account_uses import FoundUses
from relay.config.findings import format_value
from relay.config.known_answers import known_status
from relay.config.report import Report
from relay.config.schema import RouteSettings
from relay.config.suggestions import did_you_mean
from relay.errors import YamlPath
from relay.events import EVENT_ENTITIES, view_named
from relay.facts.kinds import FACTS
from relay.routing import uses_fields

_ID_FIELDS: Final[Mapping[str, str]] = {
    "status": "status_id",
    "pipeline": "pipeline_id",
    "responsible": "responsible_user_id",
}
"""Kinds of names, and the fields of events that hold their ids."""

_KINDS: Final[Mapping[str, str]] = {field: kind for kind, field in _ID_FIELDS.items()}
_WITH_ONE, _WITH_SEVERAL, _WITHOUT_NAMES = ("eq", "ne"), ("in", "ne"), ("exists", "changed")  # operators


def resolve_names(
    at: int, route: RouteSettings, sources: Iterable[str], names: Mapping[str, AccountNames], uses: FoundUses
) -> Iterator[RouteSettings]:
    """Return a route with ids in place of names: one route, or where it uses names one for each of its sources.

    `at` is its index in the file, `sources` are all there are. What is wrong is reported; what it needs of the
    accounts is added to `uses`.
    """
    if any(event in FACTS for event in route.on):  # which know no ids of the account
        yield route
        return
    views = {view_named(event) for event in route.on if event in EVENT_ENTITIES}
    own_sources = sorted(sources if route.source is None else set(route.source))
    kinds = {kind for kind in _ID_FIELDS if _is_usable(kind, route, views)}
    path: YamlPath = ("routes", at, "where")
    if not uses_fields(route.where, kinds):
        merged = _merged(own_sources, names)
        _Resolver(route, own_sources, merged, kinds, views, uses).resolve(route.where, path, frozenset())
        yield route
        return
    for source in own_sources:
        resolver = _Resolver(route, [source], names.get(source), kinds, views, uses)
        yield route.model_copy(update={"source": (source,), "where": resolver.resolve(route.where, path, frozenset())})


def resolve_view(
    route: RouteSettings, view: str, tree: Any, path: YamlPath, sources: Iterable[str],
    names: Mapping[str, AccountNames], uses: FoundUses,
) -> Any:  # fmt: skip
    """Return a condition on one view with ids in place of names, by the names of all these accounts.

    What none of them has is reported, and a name that is of several ids; what it needs is added to `uses`.
    """
    own_sources = sorted(sources)
    kinds = {kind for kind in _ID_FIELDS if _is_usable(kind, route, {view})}
    resolver = _Resolver(route, own_sources, _merged(own_sources, names), kinds, {view}, uses)
    return resolver.resolve(tree, path, frozenset())


def _merged(sources: Sequence[str], names: Mapping[str, AccountNames]) -> AccountNames | None:
    """Return the names of several accounts as those of one; None where those of one are not known."""
    known = [names[source] for source in sources if source in names]
    return merge_names(known) if known and len(known) == len(sources) else None


def _is_usable(kind: str, route: RouteSettings, views: set[str]) -> bool:
    """Return whether names of a kind may stand for ids: its key is no field of an event and no looked up view."""
    is_taken = kind in route.fetch or any(kind in VIEW_FIELDS[view] for view in views)
    return not is_taken and any(_ID_FIELDS[kind] in VIEW_FIELDS[view] for view in views) and _has_names(kind, views)


def _has_names(kind: str, views: set[str]) -> bool:
    """Return whether names of this kind are known for these views: a customer's statuses differ from a lead's."""
    return kind == "responsible" or ("lead" in views and "customer" not in views)


@dataclass(frozen=True)
class _Resolver:
    """Resolves the names in one condition by the names of one account, or of several where it has only ids."""

    route: RouteSettings
    sources: Sequence[str]
    names: AccountNames | None  # None: they have not been fetched
    kinds: set[str]
    views: set[str]
    uses: FoundUses

    @property
    def source(self) -> str:
        return ", ".join(self.sources)

    @property
    def report(self) -> Report:
        return self.uses.report

    def resolve(self, tree: Any, path: YamlPath, pipelines: frozenset[str]) -> Any:
        """Return a condition with ids. `pipelines` are those that the conditions around it allow; none: all."""
        if not isinstance(tree, Mapping):
            return tree
        pipelines = self._pipelines(tree) or pipelines
        resolved: dict[Any, Any] = {}
        for key, value in tree.items():
            field = _ID_FIELDS[key] if key in self.kinds else key
            if field in resolved:
                message = f"{_KINDS[field]} and {field} mean the same: write one of them"
                self.report.key_error((*path, key), message)
            resolved[field] = self._resolve_entry(key, value, (*path, key), pipelines)
        return resolved

    def _resolve_entry(self, key: str, value: Any, path: YamlPath, pipelines: frozenset[str]) -> Any:
        if key in ("all", "any") and isinstance(value, list):
            return [self.resolve(branch, (*path, at), pipelines) for at, branch in enumerate(value)]
        if key in ("all", "not"):
            return self.resolve(value, path, pipelines)
        if key == "any" and isinstance(value, Mapping):  # each of its entries is a condition of its own
            return [self.resolve({field: operand}, path, pipelines) for field, operand in value.items()]
        if key == "custom":
            self._check_custom_fields(value, path)
            for view in sorted(self.views):
                self.uses.add_custom(value, view, path, self.route.name, self.sources)
        if isinstance(value, Mapping) and key in ("contact", "contacts", "company"):  # what is looked up
            self.uses.add_custom(value.get("custom"), key, (*path, "custom"), self.route.name, self.sources)
        kind = key if key in self.kinds else _KINDS.get(key)
        if kind is None or not _has_names(kind, self.views):
            return value
        return self._resolve_value(value, path, lambda one, place: self._id(kind, key, one, place, pipelines))

    def _resolve_value(self, value: Any, path: YamlPath, id_of: Callable[[Any, YamlPath], Any]) -> Any:
        """Put ids into a value, a list of values, or a mapping of operators."""
        if isinstance(value, list):
            return [id_of(one, (*path, at)) for at, one in enumerate(value)]
        if not isinstance(value, Mapping):
            return id_of(value, path)
        resolved: dict[Any, Any] = {}
        for operator, operand in value.items():
            takes_names = operator in (_WITH_SEVERAL if isinstance(operand, list) else _WITH_ONE)
            resolved[operator] = self._resolve_value(operand, (*path, operator), id_of) if takes_names else operand
            if not takes_names and path[-1] in self.kinds and operator not in _WITHOUT_NAMES:
                self.report.key_error((*path, operator), "a name can be compared with eq, ne and in only")
        return resolved

    def _id(self, kind: str, key: str, value: Any, path: YamlPath, pipelines: frozenset[str]) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
            return value  # compiling the condition reports what is wrong with it
        if str(value) != NOBODY:
            self._add_use(kind, str(value), path, pipelines)
        index = None if self.names is None else self.names.index(kind, pipelines)
        if _is_id(value):
            if index is not None and str(value) not in index.by_id:
                suggestion = index.list_known()
                self.report.error(path, f"{self._unknown(kind, str(value))}, {suggestion}")
        elif key == kind:
            return self._id_of_name(kind, str(value), path, index)
        return value

    def _add_use(self, kind: str, written: str, path: YamlPath, pipelines: frozenset[str]) -> None:
        if kind == "status":
            self.uses.add("status", written, path, self.route.name, self.sources, pipelines=pipelines)
        else:
            self.uses.add("pipeline" if kind == "pipeline" else "user", written, path, self.route.name, self.sources)

    def _id_of_name(self, kind: str, name: str, path: YamlPath, index: NameIndex | None) -> str:
        if index is None:
            status = known_status(name) if kind == "status" else None
            self.report.error(
                path,
                f"the names of {self.source} are not known: run {self._commands()}, "
                f"or write {_ID_FIELDS[kind]}{f': {status[0]}' if status else ''}",
            )
            return NOBODY
        ids = index.ids_of(name)
        if not ids:
            status = known_status(name) if kind == "status" else None
            suggestion = f"{status[1]} is {status[0]}" if status else did_you_mean(name, index.by_name)
            self.report.error(path, f"{self._unknown(kind, format_value(name))}, {suggestion}")
        elif len(ids) > 1:
            listed = ", ".join(index.describe(id) for id in sorted(ids))
            advice = "write pipeline: beside it, or the number" if kind == "status" else "write the number"
            self.report.error(path, f"{kind} {format_value(name)} has several ids in {self.source}: {listed}: {advice}")
        return min(ids, default=NOBODY)

    def _pipelines(self, tree: Mapping[Any, Any]) -> frozenset[str]:
        """Return the ids of the pipelines that a mapping compares with directly."""
        for key in ("pipeline", "pipeline_id"):
            value = tree.get(key)
            if isinstance(value, Mapping):
                value = value.get("eq", value.get("in"))
            values = value if isinstance(value, list) else [value]
            if self.names is not None and value is not None:
                index = self.names.index("pipeline", frozenset())
                return frozenset(id for one in values for id in ({str(one)} if _is_id(one) else index.ids_of(str(one))))
        return frozenset()

    def _check_custom_fields(self, tree: Any, path: YamlPath) -> None:
        """Report custom fields that the account does not have."""
        if self.names is None or not isinstance(tree, Mapping) or not self.views <= self.names.fields.keys():
            return
        fields = [field for view in self.views for field in self.names.fields[view].items()]
        known = {text for id, field in fields for text in (id, field.name, field.code) if text}
        for key in tree:
            if str(key) not in known:
                suggestion = did_you_mean(str(key), {field.name for _, field in fields})
                unknown = self._unknown("custom field", format_value(str(key)))
                self.report.key_error((*path, key), f"{unknown}, {suggestion}")

    def _commands(self) -> str:
        return " and ".join(f"`relay names {source}`" for source in self.sources)

    def _unknown(self, kind: str, name: str) -> str:
        return f"no {kind} {name} in {self.source} (run `relay names` again if it is new)"


def _is_id(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdigit())
