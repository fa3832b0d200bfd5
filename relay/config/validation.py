"""Validate values by pydantic models: every mistake becomes a finding at its position, in plain words.

A value is shown only where it did not come from the environment and its field is no secret.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

import pydantic
from pydantic import BaseModel, ValidationError

from relay.config.examples import list_message, mapping_message
from relay.config.findings import format_value
from relay.config.known_answers import known_key
from relay.config.report import Report
from relay.config.suggestions import did_you_mean
from relay.errors import YamlPath
from relay.secret import SecretStr

Model = TypeVar("Model", bound=BaseModel)

_MESSAGES: Mapping[str, str] = {
    "string_type": "must be a text",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
}
"""What we say for pydantic's types of errors."""
_OF_MAPPINGS = frozenset({"dict_type", "model_type", "mapping_type"})
_OF_LISTS = frozenset({"list_type", "tuple_type", "frozen_set_type"})


def validate(model: type[Model], value: object, path: YamlPath, report: Report) -> Model | None:
    """Make a model of the value at a path. Where it has errors they are reported, and None is returned."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _report_error(model, detail["type"], detail["loc"], detail, path, report)
        return None


def _report_error(
    model: type[BaseModel], kind: str, loc: YamlPath, detail: Mapping[str, Any], parent: YamlPath, report: Report
) -> None:
    path = _path_in_document(parent, loc, report)
    name = str(loc[-1]) if loc else ""
    if kind == "missing":
        report.key_error(path, f"{name} is missing{_written_as(name, path, detail['input'])}")
    elif kind == "extra_forbidden":
        report.unknown_key(path, keys_of(model, loc[:-1]))
    else:
        message = _message(kind, detail, path)
        report.error(path, f"{path[-1]}: {message}" if isinstance(path[-1], str) else message)


def _written_as(name: str, path: YamlPath, value: object) -> str:
    """Return under which key a missing one of a route was written. Of other sections unknown keys are reported."""
    if path[:1] != ("routes",) or not isinstance(value, dict):
        return ""
    others = [key for key in value if known_key((*path, key), [name])]
    return f": here {others[0]} is called {name}" if others else ""


def _path_in_document(path: YamlPath, loc: YamlPath, report: Report) -> YamlPath:
    """Return the path of a pydantic `loc`: that also names the members of a union, which are not in the document."""
    for part in loc:
        if (*path, part) in report.document.values:
            path = (*path, part)
    return path


def _message(kind: str, detail: Mapping[str, Any], path: YamlPath) -> str:
    value = detail["input"]
    if value is None:
        return "is empty: write a value, or remove the key"
    if "error" in detail.get("ctx", {}):
        return str(detail["ctx"]["error"])
    if kind == "literal_error":
        return _literal_message(value, detail["ctx"]["expected"])
    if kind == "string_type" and isinstance(value, dict) and len(value) == 1 and None in value.values():
        expression = next(iter(value))
        return f'{{ {expression} }} without quotes is read as a mapping: write "{{{{ {expression} }}}}"'
    if kind in _OF_MAPPINGS:
        return mapping_message(path)
    if kind in _OF_LISTS:
        return list_message(path[-1] if path else "", value)
    message = _MESSAGES.get(kind) or str(detail["msg"]).replace("Input should", "must")
    return message + (": quote it" if kind == "string_type" and isinstance(value, int | float) else "")


def _literal_message(value: object, expected: str) -> str:
    known = re.findall(r"'([^']*)'", expected)
    if not known:
        return f"must be {expected.lower()}"
    return f"{format_value(value)} is unknown, {did_you_mean(str(value), known)}"


def keys_of(model: type[BaseModel], path: YamlPath) -> list[str]:
    """List the keys that are possible at a path within a model."""
    models = [model]
    for part in path:
        inner = [
            found
            for outer in models
            for name, field in outer.model_fields.items()
            if part in (name, field.alias)
            for found in _models_in(field.annotation)
        ]
        models = inner or models  # a list's index, a mapping's key and a union's member lead no deeper
    return sorted({field.alias or name for found in models for name, field in found.model_fields.items()})


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def find_secrets(value: object, path: YamlPath = ()) -> Iterator[tuple[YamlPath, SecretStr]]:
    """Find every secret within a validated model, and its path. Sinks of other packages may have pydantic's."""
    if isinstance(value, SecretStr):
        yield path, value
    elif isinstance(value, pydantic.SecretStr):
        yield path, SecretStr(value.get_secret_value())
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from find_secrets(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from find_secrets(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from find_secrets(item, (*path, index))
