"""Warn about what works, but is not fit for production: weak secrets, a missing key, what no route uses."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from relay.config.environment import SECRET_KEY
from relay.config.report import Report
from relay.config.sections import Sections
from relay.config.variables import Substitution
from relay.errors import YamlPath

_MIN_SECRET = 8  # characters, of a secret that others authenticate with


def warn_about_unused(sections: Sections, report: Report) -> None:
    """Warn about sinks, templates and tables that no route uses: leftovers, or names that are mistyped elsewhere."""
    routes = list(sections.routes.values())
    contents = [dict(route.content) for route in routes]
    texts = list(_texts([*sections.templates.values(), *contents, *(dict(route.key_templates) for route in routes)]))
    template_names = {value for content in contents if isinstance(value := content.get("body"), str)}
    used: Iterable[tuple[str, Iterable[str], Callable[[str], bool]]] = (
        ("sinks", sections.types_of_sinks, {name for route in routes for name in route.to}.__contains__),
        ("templates", sections.templates, template_names.__contains__),
        ("tables", sections.tables, lambda name: any(f"'{name}'" in text or f'"{name}"' in text for text in texts)),
    )
    for section, names, is_used in used:
        for name in names:
            if not is_used(name):
                report.warn((section, name), f"no route uses {name}: remove it, or use it")


def warn_about_sinks(sections: Sections, report: Report) -> None:
    """Warn about what the sinks leave open that nobody should leave open in production."""
    for name, sink in sections.sinks.items():
        for warning in sink.warnings([route.content for route in sections.routes.values() if name in route.to]):
            report.warn(("sinks", name), f"{name}: {warning}")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def warn_about_weak_secrets(sections: Sections, substitution: Substitution, report: Report) -> None:
    """Warn about secrets that everybody can read, and about short ones of hooks and API users."""
    for path, secret in sections.secrets():
        key = key_of(path)
        # One token is read as a list of one: the file has it at the key itself.
        variable = substitution.defaulted.get(path) or substitution.defaulted.get(path[: path.index(key) + 1])
        if variable is not None:
            report.warn(path, f"{key} is a default that everybody can read: set {variable}")
        elif path[0] in ("sources", "api_users") and len(secret.get_secret_value()) < _MIN_SECRET:
            report.warn(path, f"{key} is easy to guess: use at least {_MIN_SECRET} random characters")


def key_of(path: YamlPath) -> str:
    """Return the key of a value, also of one in a list."""
    return next(part for part in reversed(path) if isinstance(part, str))


def warn_about_missing_secret_key(sections: Sections, environ: Mapping[str, str], report: Report) -> None:
    """Warn about OAuth without the key that encrypts its tokens in the store."""
    for name, source in sections.sources.items():
        if source.api is not None and source.api.oauth is not None and not environ.get(SECRET_KEY):
            report.warn(
                ("sources", name, "api", "oauth"),
                f"oauth needs {SECRET_KEY}: the tokens that amoCRM gives are kept in the store, encrypted with it",
            )
