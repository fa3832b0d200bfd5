"""Routes against everything they refer to: events, fields, sources, sinks, tables, templates. And compiled, once."""

from collections.abc import Iterable, Iterator, Mapping

from relay.amocrm.events import EVENTS
from relay.amocrm.views import FETCHABLE, VIEW_FIELDS, main_view
from relay.config.account_names import AccountNames
from relay.config.content import RouteContent
from relay.config.findings import YamlPath, did_you_mean
from relay.config.name_resolution import resolve_names
from relay.config.reading import Reading
from relay.config.schema import RouteSettings, SinkTypes, all_content_keys
from relay.config.sections import Sections
from relay.rendering import CompiledContent, TemplateErrors, ViewFields, compile_content
from relay.rendering.template import is_template
from relay.routing import Condition, ConditionErrors, Route, compile_condition, uses_fields

_NAMED = "body"  # the content key that may name a template
_ALWAYS = ("event", "account")  # the views that every event has beside its own
_OPEN = "entity"  # the view that shows any field


def compile_routes(
    sections: Sections, reading: Reading, sink_types: SinkTypes, names: Mapping[str, AccountNames]
) -> tuple[Route, ...]:
    """Compile every route. What is wrong is noted; then what is returned is of no use."""
    _note_repeated_names(sections.routes, reading)
    return tuple(
        _Checked(at, own, sections, reading, sink_types).route()
        for at, keys in sections.routes.items()
        for own in resolve_names(at, keys, sections.source_names, names, reading)
    )


def _note_repeated_names(routes: Mapping[int, RouteSettings], reading: Reading) -> None:
    first: dict[str, YamlPath] = {}
    for at, keys in routes.items():
        path: YamlPath = ("routes", at, "name")
        if keys.name in first:
            line, column = reading.document.mark(first[keys.name])
            reading.error(
                path,
                f"the name {keys.name} is here twice, first at {line}:{column}: give each its own",
            )
        first.setdefault(keys.name, path)


class _Checked:
    """One route, checked key by key."""

    def __init__(
        self, at: int, keys: RouteSettings, sections: Sections, reading: Reading, sink_types: SinkTypes
    ) -> None:
        self._path: YamlPath = ("routes", at)
        self._keys = keys
        self._sections = sections
        self._reading = reading
        self._sink_types = sink_types
        self._tables = {name: table.root for name, table in sections.tables.items()}
        self._fetched = tuple(view for what in keys.fetch for view in FETCHABLE[what])
        self._views: dict[str, str] = {}  # each view that conditions and templates will meet -> an event that has it
        for event in keys.on:
            if event in EVENTS:
                self._views.setdefault(main_view(event), event)

    def route(self) -> Route:
        keys = self._keys
        sources = [keys.source] if keys.source is not None else []
        self._note_unknown("source", "source", sources, self._sections.source_names)
        self._note_unknown("on", "event", keys.on, EVENTS)
        self._note_unknown("to", "sink", keys.to, self._sections.sink_types)
        self._note_content_keys()
        self._note_fetch()
        where, then = self._conditions()
        return Route(
            name=keys.name,
            on=frozenset(keys.on),
            sinks=tuple(dict.fromkeys(keys.to)),
            content=RouteContent(dict(self._contents())),
            sources=frozenset(sources) or None,
            where=where,
            once=self._tree("once", keys.once, self._path) if keys.once else None,
            fetch=frozenset(keys.fetch),
            where_fetched=then,
        )

    def _note_unknown(self, key: str, what: str, names: Iterable[str], known: Iterable[str]) -> None:
        for at, name in enumerate(names):
            if name not in known:
                self._reading.error((*self._path, key, at), f"unknown {what} {name}, {did_you_mean(name, known)}")

    def _note_content_keys(self) -> None:
        types = {name: found for name in self._keys.to if (found := self._sections.sink_types.get(name))}
        if len(set(types.values())) > 1:
            told = ", ".join(f"{name} is {found}" for name, found in types.items())
            self._reading.error((*self._path, "to"), f"to: sinks of one type only ({told}): write a route for each")
        elif types:
            self._note_keys_of(next(iter(types.values())))

    def _note_keys_of(self, name: str) -> None:
        sink_type, given = self._sink_types[name], self._keys.content.keys()
        others = all_content_keys(self._sink_types) if sink_type.takes_all_keys else frozenset()
        for key in given - sink_type.content_keys.keys() - others:
            self._reading.unknown_key(
                (*self._path, key), {*RouteSettings.model_fields, *sink_type.content_keys, *others}
            )
        for key, required in sink_type.content_keys.items():
            if required and key not in given:
                self._reading.key_error(self._path, f"{key} is missing: a sink of type {name} needs it")
        for keys in sink_type.exclusive_keys:
            if len(keys & given) > 1:
                self._reading.key_error(self._path, f"give only one of {' and '.join(sorted(keys & given))}")

    def _note_fetch(self) -> None:
        if not self._keys.fetch:
            return
        path: YamlPath = (*self._path, "fetch")
        for event in self._keys.on:
            if event in EVENTS and EVENTS[event].entity != "lead":
                self._reading.key_error(path, f"fetch looks up who stands behind a lead, and {event} is about none")
        for name, source in self._sections.sources.items():
            if self._keys.source in (None, name) and source.api is None:
                self._reading.key_error(path, f"fetch asks the account, and source {name} has no api: write it there")

    def _conditions(self) -> tuple[Condition | None, Condition | None]:
        """Compile `where`: what the hook alone can answer, and what needs the look-up."""
        where = self._keys.where
        if "where" not in self._keys.model_fields_set:
            return None, None
        if where is None:
            self._reading.key_error((*self._path, "where"), "where is empty: write a condition, or remove the key")
            return None, None
        if self._note_unfetched(where):
            return None, None
        if not self._fetched or not isinstance(where, Mapping):
            return self._condition(where), None
        later = {key: value for key, value in where.items() if uses_fields({key: value}, self._fetched)}
        at_once = {key: value for key, value in where.items() if key not in later}
        return (
            self._condition(at_once) if at_once or not where else None,
            self._condition(later) if later else None,
        )

    def _note_unfetched(self, where: object) -> bool:
        missing = {view: what for what, views in FETCHABLE.items() for view in views if view not in self._fetched}
        named = [view for view in missing if _OPEN not in self._views and uses_fields(where, (view,))]
        for view in named:
            self._reading.key_error((*self._path, "where"), f"where looks at {view}: write fetch: {missing[view]}, too")
        return bool(named)

    def _condition(self, tree: object) -> Condition | None:
        try:
            condition = compile_condition(tree, fetched=self._fetched)
        except ConditionErrors as found:
            for path, message in found.errors:
                self._reading.key_error((*self._path, *path), message)
            return None
        for path, field in condition.fields():
            self._note_field(path, field)
        return condition

    def _note_field(self, path: YamlPath, field: str) -> None:
        owner, _, own = field.partition(".")
        if owner in self._fetched:
            if own not in _fields_of(owner):
                meant = did_you_mean(own, _fields_of(owner))
                self._reading.key_error((*self._path, *path), f"{owner} has no field {own}, {meant}")
            return
        for view, event in self._views.items():
            if view == _OPEN or field in VIEW_FIELDS[view]:
                continue
            meant = f"{event} has no field {field}, {did_you_mean(field, VIEW_FIELDS[view])}"
            if path[-1] == "changed":  # then the field is the old value beside the one that is named
                meant = f"can never hold: {event} carries no {field}"
            self._reading.key_error((*self._path, *path), meant)

    def _contents(self) -> Iterator[tuple[str, CompiledContent]]:
        for key, value in self._keys.content.items():
            if key == _NAMED and isinstance(value, str) and not is_template(value):
                compiled = self._named(key, value)
            else:
                compiled = self._tree(key, value, self._path)
            if compiled is not None:
                yield key, compiled

    def _named(self, key: str, name: str) -> CompiledContent | None:
        templates = self._sections.templates
        if name in templates:
            return self._tree(key, templates[name], ("templates",), name)
        self._reading.error(
            (*self._path, key),
            f"unknown template {name}, {did_you_mean(name, templates)} (a text goes as {{{{ '…' }}}})",
        )
        return None

    def _tree(self, key: str, value: object, parent: YamlPath, written: str = "") -> CompiledContent | None:
        """Compile a content for every view it will meet; `written` is its key in the file where that is another."""
        compiled: CompiledContent | None = None
        # `once` is the delivery's identity: it is known before the look-up.
        fetched = {} if key == "once" else {name: VIEW_FIELDS.get(name, frozenset()) for name in self._fetched}
        for view, event in self._views.items():
            try:
                compiled = compile_content(value, key, {**_known(view), **fetched}, self._tables)
            except TemplateErrors as found:
                who = f"{event}: " if len(self._views) > 1 else ""
                for path, message in found.errors:
                    self._reading.error((*parent, written or path[0], *path[1:]), who + message)
        return compiled


def _known(view: str) -> ViewFields:
    own: frozenset[str] = frozenset() if view == _OPEN else VIEW_FIELDS[view]  # none named: all are possible
    return {view: own, **{name: VIEW_FIELDS[name] for name in _ALWAYS}}


def _fields_of(fetched: str) -> frozenset[str]:
    """Return the fields of a view that is looked up; of several contacts each has those of one."""
    return VIEW_FIELDS["contact" if fetched == "contacts" else fetched]
