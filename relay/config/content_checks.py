"""Check what a route writes as its content: places that must vary, texts that were meant as templates, dates."""

from collections.abc import Iterator, Mapping
from typing import Final

from relay.amocrm.view_fields import VIEW_FIELDS
from relay.config.findings import format_value
from relay.config.report import Report
from relay.config.schema import RouteSettings, SinkTypes
from relay.config.sections import Sections
from relay.config.unmarked import bare_expression, unmarked_expressions
from relay.errors import YamlPath
from relay.events import EVENT_ENTITIES, OPEN_VIEW, view_named
from relay.rendering.inspection import ConstantFields, uses_source_timezone, varies

_CONSTANT: Final[ConstantFields] = {"account": None, "event": frozenset({"name", "source", "entity", "action"})}


def check_content(
    path: YamlPath, route: RouteSettings, sections: Sections, sink_types: SinkTypes, report: Report
) -> None:
    """Report the mistakes in the content of the route at a path."""
    constant = set(_constant_keys(path, route, sections, sink_types, report))
    if route.once and not varies(route.once, _CONSTANT):
        reason = "is the same for every event, so there would be one delivery for good"
        report.error(
            (*path, "once"), f"once: {format_value(route.once)} {reason}: write {_suggestion(route.once, route)}"
        )
    for key in ("order", "latest"):  # these may be the same for every event: then they are about all of the route
        report_unmarked(route.key_templates.get(key), (*path, key), report)
    for key, value in route.content.items():
        if key not in constant:
            report_unmarked(value, (*path, key), report)
    _warn_about_dates(path, route, sections, report)


def report_unmarked(value: object, path: YamlPath, report: Report) -> None:
    """Report the texts of a content that were meant as templates."""
    for place, message in unmarked_expressions(value, path, VIEW_FIELDS):
        report.error(place, message)


def _constant_keys(
    path: YamlPath, route: RouteSettings, sections: Sections, sink_types: SinkTypes, report: Report
) -> Iterator[str]:
    """Report the content keys that must vary, and do not. Yields them."""
    types = {sink_type for name in route.to if (sink_type := sections.types_of_sinks.get(name))}
    for sink_type in sorted(types):
        for key, value in _places(route.content):
            if value is None or varies(value, _CONSTANT):
                continue
            if problem := sink_types[sink_type].check_constant(key, value):
                suggestion = f": write {_suggestion(value, route)}" if isinstance(value, str) else ""
                report.error((*path, *key.split(".")), f"{key}: {problem}{suggestion}")
                yield key.partition(".")[0]


def _places(content: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the content keys, and those of their mappings: `fields`, `fields.email`."""
    for key, value in content.items():
        yield key, value
        if isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", item) for inner, item in value.items())


def _suggestion(written: str, route: RouteSettings) -> str:
    """Return a template that varies: what was meant, else the id of the route's entity."""
    views = [view_named(event) for event in route.on if event in EVENT_ENTITIES]
    view = next(iter(views), OPEN_VIEW)
    expression = bare_expression(written) or ("event.entity_id" if view == OPEN_VIEW else f"{view}.id")
    return f'"{{{{ {expression} }}}}"'


def _warn_about_dates(path: YamlPath, route: RouteSettings, sections: Sections, report: Report) -> None:
    """Warn about dates that are written in UTC because nobody has said where the account is."""
    without = sorted(
        name
        for name, source in sections.sources.items()
        if (route.source is None or name in route.source) and "timezone" not in source.model_fields_set
    )
    if not without:
        return
    advice = f"because source {', '.join(without)} has no timezone: write timezone: Europe/Moscow, or what it is, there"
    for key, value in [*route.key_templates.items(), *route.content.items()]:
        named = sections.templates.get(value) if key == "body" and isinstance(value, str) else None
        if uses_source_timezone(value if named is None else named):
            report.warn((*path, key), f"date writes UTC, {advice}")
    for name in route.to:
        settings = sections.sinks.get(name)
        if settings is not None and settings.uses_source_timezone and "timezone" not in route.content:
            report.warn(("sinks", name), f"its hours are those of UTC, {advice}")
