"""Compile routes: their conditions and templates are checked against the events that they will meet, once."""

from collections.abc import Iterator, Mapping

from relay.amocrm.people import FETCHABLE
from relay.amocrm.view_fields import VIEW_FIELDS
from relay.config.account_names import AccountNames
from relay.config.account_uses import AccountUse, FoundUses
from relay.config.allowed_fields import check_allow_lists, check_allowed
from relay.config.chain_conditions import ChainConditions, resolve_chain
from relay.config.chains import check_chains, followed_routes, views_in_where, views_of_chain
from relay.config.condition_values import check_values
from relay.config.content import RouteContent
from relay.config.content_checks import check_content, report_unmarked
from relay.config.known_fields import known_condition, template_answers
from relay.config.markup import content_markup
from relay.config.name_resolution import resolve_names
from relay.config.report import Report
from relay.config.retention_checks import check_retention
from relay.config.route_checks import check_references
from relay.config.schema import KEY_TEMPLATES, RouteSettings, SinkTypes
from relay.config.sections import Sections
from relay.config.suggestions import did_you_mean
from relay.errors import YamlPath
from relay.events import EVENT_ENTITIES, OPEN_VIEW, ViewFields, fields_of_main_view, fields_of_views, view_named
from relay.facts.kinds import DELIVERED, FACT_VIEWS
from relay.model import ERASURE
from relay.rendering import CompiledContent, TemplateErrors, compile_content
from relay.rendering.template import is_template
from relay.routing import Condition, ConditionErrors, Route, compile_condition, uses_fields

_TEMPLATE_KEY = "body"  # the content key that may name a template


def compile_routes(
    sections: Sections, sink_types: SinkTypes, names: Mapping[str, AccountNames], report: Report
) -> tuple[tuple[Route, ...], tuple[AccountUse, ...]]:
    """Compile every route, and find what they use of accounts. Where errors are reported, neither must be used."""
    _check_route_names(sections.routes, report)
    check_chains(sections.routes, report)
    for name, template in sections.templates.items():
        report_unmarked(template, ("templates", name), report)
    check_allow_lists(sections, report)
    check_retention(sections, report)
    compiled, uses = [], FoundUses(report)
    for at, written in sections.routes.items():
        check_content(("routes", at), written, sections, sink_types, report)
        check_allowed(("routes", at), written, sections, report)
        of_chain = resolve_chain(at, written, sections, names, uses) if DELIVERED in written.on else written
        for route in resolve_names(at, of_chain, sections.source_names, names, uses):
            path: YamlPath = ("routes", at)
            check_references(path, route, sections, sink_types, report)
            compiled.append(_RouteCompiler(path, route, sections, uses).compile())
    return tuple(compiled), tuple(uses.found)


def _check_route_names(routes: Mapping[int, RouteSettings], report: Report) -> None:
    names: dict[YamlPath, str] = {("routes", at, "name"): route.name for at, route in routes.items()}
    for path, first in report.repeated(names):
        report.error(path, f"the name {names[path]} is here twice, first at {first}: give each its own")
    for path, name in names.items():
        if name == ERASURE:
            report.error(path, f"{name} is the name of what asks a sink to forget somebody: give it another one")


class _RouteCompiler:
    """Compiles one route."""

    def __init__(self, path: YamlPath, route: RouteSettings, sections: Sections, uses: FoundUses) -> None:
        self._path = path
        self._route = route
        self._sections = sections
        self._sinks = sections.sinks
        self._templates = sections.templates
        self._tables = {name: table.root for name, table in sections.tables.items()}
        self._report = uses.report
        self._uses = uses
        self._sources = sorted(sections.source_names if route.source is None else route.source)
        self._fetched = tuple(view for what in route.fetch for view in FETCHABLE[what])
        routes = {one.name: one for one in sections.routes.values()}
        self._chain = views_of_chain(route, routes)
        self._further: ViewFields = {
            **{view: _fields_of(view) for view in self._fetched},
            **views_in_where(route, routes),
        }
        self._views: dict[str, str] = {}  # the views of its events, each with one event that has it
        for event in route.on:
            if event in EVENT_ENTITIES:
                self._views.setdefault(view_named(event), event)

    def compile(self) -> Route:
        route = self._route
        where, where_fetched = self._compile_where()
        return Route(
            name=route.name,
            on=frozenset(route.on),
            sinks=tuple(dict.fromkeys(route.to)),
            content=RouteContent(dict(self._compile_contents())),
            sources=None if route.source is None else frozenset(route.source),
            where=where,
            once=self._compile_key("once"),
            order=self._compile_key("order"),
            latest=self._compile_key("latest"),
            fetch=frozenset(route.fetch),
            shadow=route.shadow,
            each=route.each,
            follows=frozenset(followed_routes(route)),
            where_fetched=where_fetched,
        )

    def _compile_where(self) -> tuple[Condition | None, Condition | None]:
        """Compile `where` in two parts: what the hook alone can answer, and what needs the look-up."""
        where = self._route.where
        if "where" not in self._route.model_fields_set:
            return None, None
        if where is None:
            self._report.key_error((*self._path, "where"), "where is empty: write a condition, or remove the key")
            return None, None
        if not self._check_further_views(where):
            return None, None
        if not self._fetched or not isinstance(where, Mapping):
            return self._compile_condition(where), None
        later = {key: value for key, value in where.items() if uses_fields({key: value}, self._fetched)}
        at_once = {key: value for key, value in where.items() if key not in later}
        return (
            self._compile_condition(at_once) if at_once or not where else None,
            self._compile_condition(later) if later else None,
        )

    def _check_further_views(self, where: object) -> bool:
        """Return whether a condition can look into every view that it names: it is in `fetch`, or one of the chain."""
        if DELIVERED in self._route.on:
            checks = ChainConditions(self._route, self._sections, self._further, self._report)
            return checks.check(where, (*self._path, "where"))
        if OPEN_VIEW in self._views:
            return True
        needed = {view: what for what, views in FETCHABLE.items() for view in views if view not in self._fetched}
        missing = [view for view in needed if uses_fields(where, (view,))]
        for view in missing:
            self._report.key_error((*self._path, "where"), f"where looks at {view}: write fetch: {needed[view]}, too")
        return not missing

    def _compile_condition(self, tree: object) -> Condition | None:
        if self._views.keys().isdisjoint({OPEN_VIEW, *FACT_VIEWS}):
            for path, message in check_values(tree):
                self._report.error((*self._path, *path), message)
        try:
            condition = compile_condition(tree, views=self._further, changing=self._chain.keys() & VIEW_FIELDS.keys())
        except ConditionErrors as found:
            for path, message in found.errors:
                self._report.key_error((*self._path, *path), message)
            return None
        for path, field in condition.used_fields:
            self._check_field(path, field)
        return condition

    def _check_field(self, path: YamlPath, field: str) -> None:
        """Report a field that the views of the route's events, or a looked up view, do not have."""
        owner, _, own = field.partition(".")
        if own and owner in self._further:
            known = self._further[owner]
            if own not in known and owner != OPEN_VIEW:
                message = f"{owner} has no field {own}, {known_condition(own, owner) or did_you_mean(own, known)}"
                if path[-1] == "changed":
                    message = f"can never hold: a {owner} carries no {own}"
                self._report.key_error((*self._path, *path), message)
            return
        for view, event in self._views.items():
            fields = fields_of_main_view(event)
            if view == OPEN_VIEW or field in fields:
                continue
            suggestion = known_condition(field, view) or did_you_mean(field, fields)
            message = f"{event} has no field {field}, {suggestion}"
            if path[-1] == "changed":  # then the field is the old value beside the one that is named
                message = f"can never hold: {event} carries no {field}"
            self._report.key_error((*self._path, *path), message)

    def _compile_contents(self) -> Iterator[tuple[str, CompiledContent]]:
        for key, value in self._route.content.items():
            if key == _TEMPLATE_KEY and isinstance(value, str) and not is_template(value):
                compiled = self._compile_named_template(key, value)
            else:
                compiled = self._compile_templates(key, value, self._path)
            if compiled is not None:
                yield key, compiled

    def _compile_key(self, key: str) -> CompiledContent | None:
        written = self._route.key_templates.get(key)
        return None if written is None else self._compile_templates(key, written, self._path)

    def _compile_named_template(self, key: str, name: str) -> CompiledContent | None:
        if name in self._templates:
            return self._compile_templates(key, self._templates[name], ("templates",), key_in_file=name)
        known = did_you_mean(name, self._templates)
        message = f"unknown template {name}, {known} (a text is written as {{{{ '…' }}}})"
        self._report.error((*self._path, key), message)
        return None

    def _compile_templates(
        self, key: str, value: object, parent: YamlPath, key_in_file: str = ""
    ) -> CompiledContent | None:
        """Compile a content key for every view it will meet. `key_in_file` is its key in the file where they differ."""
        compiled: CompiledContent | None = None
        # The keys of a delivery are known when it is made, which is before the look-up.
        is_key = key in KEY_TEMPLATES
        fetched = {} if is_key else {name: VIEW_FIELDS.get(name, frozenset()) for name in self._fetched}
        markup = content_markup(key, self._route, self._sinks, self._path, self._report)
        for view, event in self._views.items():
            try:
                compiled = compile_content(
                    value,
                    key,
                    {**self._chain, **fields_of_views(event), **fetched},
                    self._tables,
                    template_answers(view, fetched, known_before_fetch=key if is_key else ""),
                    markup,
                )
            except TemplateErrors as found:
                prefix = f"{event}: " if len(self._views) > 1 else ""
                for path, message in found.errors:
                    self._report.error((*parent, key_in_file or path[0], *path[1:]), prefix + message)
        for path, read in () if compiled is None else compiled.reads:
            place: YamlPath = (*parent, key_in_file or path[0], *path[1:])
            self._uses.add_read(read, place, self._route.name, self._sources)
        return compiled


def _fields_of(fetched: str) -> frozenset[str]:
    """Return the fields of a view that is looked up; each of several contacts has those of one."""
    return VIEW_FIELDS["contact" if fetched == "contacts" else fetched]
