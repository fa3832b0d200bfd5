"""Names in a route's `where` -> the ids that hooks carry, and ids that the account does not have.

A name is an account's own: a route for several sources becomes one route for each, under the same name. Which it is
makes no difference to an event, since that has one source.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from relay.amocrm.events import EVENTS
from relay.amocrm.views import VIEW_FIELDS, main_view
from relay.config.account_names import NOBODY, AccountNames, NameIndex, merge_names
from relay.config.findings import YamlPath, did_you_mean, format_value
from relay.config.reading import Reading
from relay.config.schema import RouteSettings

_IDS: Final[Mapping[str, str]] = {
    "status": "status_id",
    "pipeline": "pipeline_id",
    "responsible": "responsible_user_id",
}
_NAMED: Final[Mapping[str, str]] = {id: name for name, id in _IDS.items()}
_ONE, _SEVERAL, _OTHER = ("eq", "ne"), ("in", "ne"), ("exists", "changed")


def resolve_names(
    at: int, keys: RouteSettings, sources: Iterable[str], names: Mapping[str, AccountNames], reading: Reading
) -> Iterator[RouteSettings]:
    """Return a route with ids in place of names: itself, or where it uses names one for each of its sources.

    `sources` are all there are. What is wrong is noted.
    """
    views = {main_view(event) for event in keys.on if event in EVENTS}
    own = sorted(sources) if keys.source is None else [keys.source]
    kinds = {name for name in _IDS if _means(name, keys, views)}
    path: YamlPath = ("routes", at, "where")
    if not _uses(keys.where, kinds):
        known = merge_names(names[source] for source in own) if own and all(source in names for source in own) else None
        _Naming(", ".join(own), known, kinds, views, reading).tree(keys.where, path, frozenset())
        yield keys
        return
    for source in own:
        naming = _Naming(source, names.get(source), kinds, views, reading)
        yield keys.model_copy(update={"source": source, "where": naming.tree(keys.where, path, frozenset())})


def _means(name: str, keys: RouteSettings, views: set[str]) -> bool:
    """Return whether a name stands for an id: some event has that, none has a field of that name, nor is it fetched."""
    taken = name in keys.fetch or any(name in VIEW_FIELDS[view] for view in views)
    return not taken and any(_IDS[name] in VIEW_FIELDS[view] for view in views) and _kept(name, views)


def _kept(kind: str, views: set[str]) -> bool:
    """Return whether we keep names of this kind: a customer's statuses are none of a lead's."""
    return kind == "responsible" or ("lead" in views and "customer" not in views)


def _uses(tree: object, names: set[str]) -> bool:
    if isinstance(tree, list):
        return any(_uses(branch, names) for branch in tree)
    if not isinstance(tree, Mapping):
        return False
    return any(key in names or (key in ("all", "any", "not") and _uses(value, names)) for key, value in tree.items())


@dataclass(frozen=True)
class _Naming:
    """One condition, with the names of one account."""

    source: str
    names: AccountNames | None  # None: nobody has written them down
    kinds: set[str]
    views: set[str]
    reading: Reading

    def tree(self, tree: Any, path: YamlPath, pipelines: frozenset[str]) -> Any:
        """Return a condition with ids. `pipelines` are those that the conditions around it allow; none: all."""
        if not isinstance(tree, Mapping):
            return tree
        pipelines = self._pipelines(tree) or pipelines
        found: dict[Any, Any] = {}
        for key, value in tree.items():
            name = _IDS[key] if key in self.kinds else key
            if name in found:
                text = f"{_NAMED[name]} and {name} mean the same: write one of them"
                self.reading.key_error((*path, key), text)
            found[name] = self._entry(key, value, (*path, key), pipelines)
        return found

    def _entry(self, key: str, value: Any, path: YamlPath, pipelines: frozenset[str]) -> Any:
        if key in ("all", "any") and isinstance(value, list):
            return [self.tree(branch, (*path, at), pipelines) for at, branch in enumerate(value)]
        if key in ("all", "not"):
            return self.tree(value, path, pipelines)
        if key == "any" and isinstance(value, Mapping):  # each of its entries stands for itself
            return [self.tree({own: told}, path, pipelines) for own, told in value.items()]
        if key == "custom":
            self._note_custom(value, path)
        kind = key if key in self.kinds else _NAMED.get(key)
        if kind is None or not _kept(kind, self.views):
            return value
        return self._value(value, path, lambda one, place: self._id(kind, key, one, place, pipelines))

    def _value(self, value: Any, path: YamlPath, id_of: Callable[[Any, YamlPath], Any]) -> Any:
        """Put ids into a value, a list of values, or a mapping of operators."""
        if isinstance(value, list):
            return [id_of(one, (*path, at)) for at, one in enumerate(value)]
        if not isinstance(value, Mapping):
            return id_of(value, path)
        found: dict[Any, Any] = {}
        for operator, operand in value.items():
            several = isinstance(operand, list)
            fits = operator in (_SEVERAL if several else _ONE)
            found[operator] = self._value(operand, (*path, operator), id_of) if fits else operand
            if not fits and path[-1] in self.kinds and operator not in _OTHER:
                self.reading.key_error((*path, operator), "a name can be compared with eq, ne and in only")
        return found

    def _id(self, kind: str, key: str, value: Any, path: YamlPath, pipelines: frozenset[str]) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
            return value  # the condition itself says what is wrong with it
        known = None if self.names is None else self.names.known(kind, pipelines)
        if _is_id(value):
            if known is not None and str(value) not in known.by_id:
                meant = did_you_mean(str(value), known.by_id.keys() - {NOBODY})
                self.reading.error(path, f"{self._unknown(kind, str(value))}, {meant}")
        elif key == kind:
            return self._id_of_name(kind, str(value), path, known)
        return value

    def _id_of_name(self, kind: str, name: str, path: YamlPath, known: NameIndex | None) -> str:
        if known is None:
            text = f"the names of {self.source} are not known: run `relay names {self.source}`, or write {_IDS[kind]}"
            self.reading.error(path, text)
            return name
        ids = known.ids(name)
        if not ids:
            self.reading.error(path, f"{self._unknown(kind, format_value(name))}, {did_you_mean(name, known.by_name)}")
        elif len(ids) > 1:
            told = ", ".join(f"{id} ({known.places[id]})" if id in known.places else id for id in sorted(ids))
            hint = "write pipeline: beside it, or the number" if kind == "status" else "write the number"
            self.reading.error(path, f"{kind} {format_value(name)} is several in {self.source}: {told}: {hint}")
        return min(ids, default=name)

    def _pipelines(self, tree: Mapping[Any, Any]) -> frozenset[str]:
        """Return the ids of the pipelines that a mapping asks for outright."""
        for key in ("pipeline", "pipeline_id"):
            value = tree.get(key)
            if isinstance(value, Mapping):
                value = value.get("eq", value.get("in"))
            values = value if isinstance(value, list) else [value]
            if self.names is not None and value is not None:
                known = self.names.known("pipeline", frozenset())
                return frozenset(id for one in values for id in ({str(one)} if _is_id(one) else known.ids(str(one))))
        return frozenset()

    def _note_custom(self, tree: Any, path: YamlPath) -> None:
        """Note custom fields that the account does not have."""
        if self.names is None or not isinstance(tree, Mapping) or not self.views <= self.names.fields.keys():
            return
        fields = [field for view in self.views for field in self.names.fields[view].items()]
        known = {text for id, field in fields for text in (id, field.name, field.code) if text}
        for key in tree:
            if str(key) not in known:
                meant = did_you_mean(str(key), {field.name for _, field in fields})
                self.reading.key_error(
                    (*path, key), f"{self._unknown('custom field', format_value(str(key)))}, {meant}"
                )

    def _unknown(self, kind: str, told: str) -> str:
        return f"no {kind} {told} in {self.source} (run `relay names` again if it is new)"


def _is_id(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdigit())
