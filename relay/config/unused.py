"""What no route uses: a leftover, or a name that was mistyped elsewhere."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from relay.config.reading import Reading
from relay.config.sections import Sections


def warn_about_unused(sections: Sections, reading: Reading) -> None:
    """Warn of sinks, templates and tables that no route uses."""
    routes = list(sections.routes.values())
    contents = [dict(keys.content) for keys in routes]
    texts = list(_texts([*sections.templates.values(), *contents, *(keys.once for keys in routes)]))
    named = {value for content in contents if isinstance(value := content.get("body"), str)}
    used: Iterable[tuple[str, Iterable[str], Callable[[str], bool]]] = (
        ("sinks", sections.sink_types, {name for keys in routes for name in keys.to}.__contains__),
        ("templates", sections.templates, named.__contains__),
        ("tables", sections.tables, lambda name: any(f"'{name}'" in text or f'"{name}"' in text for text in texts)),
    )
    for section, names, is_used in used:
        for name in names:
            if not is_used(name):
                reading.warn((section, name), f"no route uses {name}: remove it, or use it")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
