"""A document against pydantic models: every mistake becomes a finding at its place, in plain words.

A value is shown only where it did not come from the environment and its field is no secret.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from relay.config.findings import Findings, YamlPath, did_you_mean, discreet, format_value
from relay.config.yaml import Document

Model = TypeVar("Model", bound=BaseModel)

_KINDS: Mapping[str, str] = {
    "string_type": "must be a text",
    "string_too_short": "must not be empty",
    "dict_type": "must be a mapping (key: value)",
    "model_type": "must be a mapping (key: value)",
    "mapping_type": "must be a mapping (key: value)",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "frozen_set_type": "must be a list",
    "too_short": "must not be empty",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
}


@dataclass(frozen=True)
class Reading:
    """A document being read: where findings go, and which places the environment filled."""

    document: Document
    findings: Findings
    given: Mapping[YamlPath, str]

    def error(self, path: YamlPath, text: str) -> None:
        """Note an error at a value."""
        self.findings.error(self.document.mark(path), self._discreet(path, text))

    def key_error(self, path: YamlPath, text: str) -> None:
        """Note an error at a key: it is unknown, or what it holds is incomplete."""
        self.findings.error(self.document.key(path), self._discreet(path, text))

    def warn(self, path: YamlPath, text: str) -> None:
        """Note a warning at a key."""
        self.findings.warn(self.document.key(path), text)

    def validate(self, model: type[Model], value: object, path: YamlPath) -> Model | None:
        """Read one value by its model; None where it has errors, which are noted."""
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                self._note(model, detail["type"], detail["loc"], detail, path)
            return None

    def unknown_key(self, path: YamlPath, known: Iterable[str]) -> None:
        """Note a key that means nothing here."""
        name = str(path[-1])
        self.key_error(path, f"unknown key {name}, {did_you_mean(name, known)}")

    def _note(
        self, model: type[BaseModel], kind: str, loc: YamlPath, detail: Mapping[str, Any], prefix: YamlPath
    ) -> None:
        path = self._place(prefix, loc)
        name = str(loc[-1]) if loc else ""
        if kind == "missing":
            self.key_error(path, f"{name} is missing")
        elif kind == "extra_forbidden":
            self.unknown_key(path, keys_of(model, loc[:-1]))
        else:
            words = _words(kind, detail)
            self.error(path, f"{path[-1]}: {words}" if isinstance(path[-1], str) else words)

    def _discreet(self, path: YamlPath, text: str) -> str:
        return discreet(text, [value for place, value in self.given.items() if place[: len(path)] == path])

    def _place(self, path: YamlPath, loc: YamlPath) -> YamlPath:
        """Find the way through the document: pydantic also names a union's members, which are not there."""
        for part in loc:
            if (*path, part) in self.document.values:
                path = (*path, part)
        return path


def _words(kind: str, detail: Mapping[str, Any]) -> str:
    value = detail["input"]
    if value is None:
        return "is empty: write a value, or remove the key"
    if "error" in detail.get("ctx", {}):
        return str(detail["ctx"]["error"])
    if kind == "literal_error":
        expected = detail["ctx"]["expected"]
        known = re.findall(r"'([^']*)'", expected)
        return (
            f"{format_value(value)} is unknown, {did_you_mean(str(value), known)}"
            if known
            else f"must be {expected.lower()}"
        )
    words = _KINDS.get(kind) or str(detail["msg"]).replace("Input should", "must")
    return words + (": quote it" if kind == "string_type" and isinstance(value, int | float) else "")


def keys_of(model: type[BaseModel], path: YamlPath) -> list[str]:
    """List the keys that are possible at a path within a model."""
    models = [model]
    for part in path:
        inner = [
            found
            for outer in models
            for name, field in outer.model_fields.items()
            if part in (name, field.alias)
            for found in _models(field.annotation)
        ]
        models = inner or models  # a list's index, a mapping's key, a union's member lead no deeper
    return sorted({field.alias or name for found in models for name, field in found.model_fields.items()})


def secrets(value: object, path: YamlPath = ()) -> Iterator[tuple[YamlPath, SecretStr]]:
    """Find every secret within a model that was read, and where it stands."""
    if isinstance(value, SecretStr):
        yield path, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from secrets(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from secrets(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from secrets(item, (*path, index))


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
