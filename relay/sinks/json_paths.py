"""Values within a JSON answer, by paths of keys and indexes (`messages.0.status`); `*` is every element.

What is null or an empty text does not exist.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from relay.model import Json


def _check_path(path: str) -> str:
    if not all(path.split(".")):
        raise ValueError(f"{path!r} is no path: write keys and indexes with dots between them, such as errors.0.code")
    return path


JsonPath: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_check_path)]


def values_at(content: Json, path: str) -> list[Json]:
    """Return the values at a path: none, one, or with `*` many."""
    values = [content]
    for part in path.split("."):
        values = [inner for value in values for inner in _step(value, part)]
    return [value for value in values if value is not None and value != ""]


def text_at(content: Json, path: str | None) -> str:
    """Return the first text or number at a path as text; "" where there is none."""
    values = values_at(content, path) if path else []
    return next((as_text(value) for value in values if isinstance(value, str | int | float)), "")


def as_text(value: Json) -> str:
    """Write a value as texts in the YAML are compared with it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _step(value: Json, part: str) -> Iterator[Json]:
    if isinstance(value, Mapping):
        if part == "*":
            yield from value.values()
        elif part in value:
            yield value[part]
    elif isinstance(value, Sequence) and not isinstance(value, str):
        if part == "*":
            yield from value
        elif part.isdecimal() and int(part) < len(value):
            yield value[int(part)]
