"""Find what was meant as a template, and would be sent as it stands: `lead.name`, `{ lead.name }`. Pure."""

import re
from collections.abc import Iterator, Mapping, Set

from relay.errors import LocatedMessage, YamlPath

_FILTERS = r"(?:\s*\|\s*\w+(?:\([^(){}]*\))?)*"
_PATH = r"[^\W\d]\w*(?:\.[^\W\d]\w*|\[[^\[\]{}]*\])+"
_BARE = re.compile(rf"\s*({_PATH})({_FILTERS})\s*")
_IN_BRACES = re.compile(rf"(?<![{{$%])\{{\s*({_PATH}{_FILTERS})\s*\}}+")
_OF_EVERY_VIEW = frozenset({"custom"})


def unmarked_expressions(
    value: object, path: YamlPath, view_fields: Mapping[str, Set[str]]
) -> Iterator[LocatedMessage]:
    """Yield what is wrong with the texts of a content, each with its path. `view_fields` are the views and fields."""
    if isinstance(value, str):
        if message := _problem(value, view_fields):
            yield path, message
    elif isinstance(value, Mapping):
        if (only := _only_key(value)) and (expression := bare_expression(only)):
            yield path, f'{{ {expression} }} without quotes is read as a mapping: write "{{{{ {expression} }}}}"'
            return
        for key, inner in value.items():
            yield from unmarked_expressions(inner, (*path, str(key)), view_fields)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from unmarked_expressions(inner, (*path, at), view_fields)


def bare_expression(text: str) -> str | None:
    """Return the expression that a text is as a whole, such as `lead.name` or `lead.price | money`."""
    found = _BARE.fullmatch(text)
    return text.strip() if found else None


def _problem(text: str, view_fields: Mapping[str, Set[str]]) -> str | None:
    for found in _IN_BRACES.finditer(text):  # braces around anything else may be a vendor's own
        if re.split(r"[.\[]", found[1])[0] in view_fields:
            return f"{found[0]} is sent as it stands: write {{{{ {found[1]} }}}}"
    bare = _BARE.fullmatch(text)
    if bare and _is_known(bare[1], view_fields):
        return f'{text.strip()} is sent as it stands: write "{{{{ {text.strip()} }}}}"'
    return None


def _is_known(expression: str, view_fields: Mapping[str, Set[str]]) -> bool:
    view, field, *_ = re.split(r"[.\[]", expression)
    return field in view_fields.get(view, frozenset()) | (_OF_EVERY_VIEW if view in view_fields else frozenset())


def _only_key(value: Mapping[object, object]) -> str | None:
    """Return the key of a mapping that is nothing but a key: `{ lead.name }` without quotes."""
    if len(value) != 1:
        return None
    ((key, inner),) = value.items()
    return str(key) if inner is None else None
