"""Check that routes send to a sink no other fields than those that it allows."""

from collections.abc import Collection, Iterator

from jinja2 import TemplateError

from relay.amocrm.view_fields import VIEW_FIELDS
from relay.config.report import Report
from relay.config.schema import RouteSettings
from relay.config.sections import Sections
from relay.config.suggestions import did_you_mean
from relay.errors import YamlPath
from relay.events import OPEN_VIEW
from relay.facts.kinds import ANSWER, ANSWER_FIELDS, FACT_VIEWS
from relay.rendering.reads import used_fields
from relay.rendering.template import SANDBOX, is_template

_OF_NOBODY = ("event", "account")  # views that say which event it is, of which account
_VIEWS = {
    **{name: fields for views in FACT_VIEWS.values() for name, fields in views.items()},
    ANSWER: ANSWER_FIELDS,
    **VIEW_FIELDS,
}


def check_allow_lists(sections: Sections, report: Report) -> None:
    """Report what no view has among the fields that sinks allow."""
    for name, settings in sections.sinks.items():
        for at, field in enumerate(settings.allowed_fields or ()):
            if message := _unknown(field):
                report.error(("sinks", name, "allowed_fields", at), message)


def _unknown(name: str) -> str | None:
    view, dot, field = name.partition(".")
    if view not in _VIEWS:
        return f"{name}: there is no view {view}, {did_you_mean(view, _VIEWS)}"
    if not dot or view == OPEN_VIEW or not _VIEWS[view] or field.startswith("custom."):
        return None
    fields = _VIEWS[view]
    return None if field in fields else f"{view} has no field {field}, {did_you_mean(field, fields)}"


def check_allowed(path: YamlPath, route: RouteSettings, sections: Sections, report: Report) -> None:
    """Report every field that the content of the route at a path sends to a sink that does not allow it."""
    for sink in dict.fromkeys(route.to):
        settings = sections.sinks.get(sink)
        if settings is None or settings.allowed_fields is None:
            continue
        for place, field in _fields_sent(path, route, sections):
            if not is_allowed(field, settings.allowed_fields):
                report.error(place, _describe(field, sink, settings.allowed_fields, route.name))


def is_allowed(field: str, allowed: Collection[str]) -> bool:
    """Return whether a list names a field, or all of what it is a part of."""
    parts = field.split(".")
    if parts[0] in _OF_NOBODY:
        return True
    return any(".".join(parts[:n]) in allowed for n in range(1, len(parts) + 1)) or field in allowed


def _describe(field: str, sink: str, allowed: Collection[str], route: str) -> str:
    listed = ", ".join(allowed) or "none"
    what = field if "." in field else f"all of {field}"
    return f"route {route} sends {what} to {sink}, whose allowed_fields are {listed}: leave it out, or allow it there"


def _fields_sent(path: YamlPath, route: RouteSettings, sections: Sections) -> Iterator[tuple[YamlPath, str]]:
    """Yield what the templates of a content use, each with its place."""
    for key, value in route.content.items():
        named = sections.templates.get(value) if key == "body" and isinstance(value, str) else None
        if named is not None and not is_template(str(value)):
            yield from _fields_in(named, ("templates", str(value)))
        else:
            yield from _fields_in(value, (*path, key))


def _fields_in(value: object, path: YamlPath) -> Iterator[tuple[YamlPath, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _fields_in(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _fields_in(inner, (*path, at))
    elif isinstance(value, str) and is_template(value):
        try:
            tree = SANDBOX.parse(value)
        except TemplateError:  # reported elsewhere
            return
        yield from ((path, field) for field in dict.fromkeys(used_fields(tree)))
