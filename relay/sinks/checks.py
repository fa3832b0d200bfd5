"""What an operator says about an answer: `success_if`, `rejected_if` and the like, compiled once.

A check is a mapping of which all must hold, or a list of such mappings of which one must:

    success_if: {status: [200, 201], json: {status: ok}}
    rejected_if: [{json: {error.code: [3, 7]}}, {header: {X-Refused: {exists: true}}}]

Values are compared as text, so 0 and "0" are the same. A path within JSON has keys and indexes (`messages.0.status`);
`*` is every element. What is null, empty or not there does not exist.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from relay.model import Json, Outcome
from relay.transport import Response

Holds: TypeAlias = Callable[["Answered"], bool]

_STATUS = re.compile(r"[1-5](\d\d|xx)")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    return text


def _path(path: str) -> str:
    if not all(path.split(".")):
        raise ValueError(f"{path!r} is no path: write keys and indexes with dots between them, such as errors.0.code")
    return path


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _status(value: object) -> object:
    text = str(value)
    if isinstance(value, bool) or not _STATUS.fullmatch(text):
        raise ValueError(f"{value!r} is no HTTP status: write 429, or 5xx for all of them")
    return text


class Matching(BaseModel):
    """A value that is there, or is not; or one that a regular expression finds something in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exists: bool | None = None
    matches: Annotated[str, AfterValidator(_pattern)] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Matching":
        if (self.exists is None) == (self.matches is None):
            raise ValueError("give exactly one of exists and matches")
        return self


Scalar: TypeAlias = bool | int | str
Expected: TypeAlias = Scalar | list[Scalar] | Matching
JsonPath: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_path)]


class Check(BaseModel):
    """What must hold of an answer, all of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Annotated[list[Annotated[str, BeforeValidator(_status)]], BeforeValidator(_listed)] | None = None
    header: dict[str, Expected] = {}
    content: dict[JsonPath, Expected] = Field({}, alias="json")

    @model_validator(mode="after")
    def _something(self) -> "Check":
        if not (self.status or self.header or self.content):
            raise ValueError("an empty check holds always: give status, header or json")
        return self


AnyOf: TypeAlias = Annotated[list[Check], BeforeValidator(_listed), Field(min_length=1)]

CheckName: TypeAlias = Literal["success_if", "already_if", "throttled_if", "retry_if", "blocked_if", "rejected_if"]

ORDER: Final[Mapping[CheckName, Outcome]] = {
    "success_if": Outcome.DELIVERED,
    "already_if": Outcome.DELIVERED,
    "throttled_if": Outcome.THROTTLED,
    "retry_if": Outcome.RETRY,
    "blocked_if": Outcome.BLOCKED,
    "rejected_if": Outcome.REJECTED,
}
"""The checks in the order in which they are asked: the first that holds decides."""


class Checks(BaseModel):
    """The checks that a sink's settings may have. To be inherited beside `SinkSettings`."""

    success_if: AnyOf | None = None
    already_if: AnyOf | None = None
    throttled_if: AnyOf | None = None
    retry_if: AnyOf | None = None
    blocked_if: AnyOf | None = None
    rejected_if: AnyOf | None = None

    @cached_property
    def _compiled(self) -> list[tuple[CheckName, Holds]]:
        return [(name, compile_checks(checks)) for name in ORDER if (checks := getattr(self, name))]

    def outcome(self, answer: Response) -> tuple[CheckName, Outcome] | None:
        """Return the first check that holds, and what it means; None where none does."""
        if not self._compiled:
            return None
        answered = Answered(answer)
        return next(((name, ORDER[name]) for name, holds in self._compiled if holds(answered)), None)


class Answered:
    """An answer being judged: its JSON is read once, and only where a check asks for it."""

    def __init__(self, answer: Response) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._body = b"" if answer.truncated else answer.body

    @cached_property
    def json(self) -> Json:
        """The body, None where it is no JSON or only its beginning arrived."""
        return json_of(self._body)


def compile_checks(checks: Sequence[Check]) -> Holds:
    """Compile a list of checks of which one must hold."""
    compiled = [_compile(check) for check in checks]
    return lambda answer: any(holds(answer) for holds in compiled)


def _compile(check: Check) -> Holds:
    parts: list[Holds] = []
    if check.status is not None:
        parts.append(_status_among(frozenset(check.status)))
    parts += [_header_is(name, _fits(expected)) for name, expected in check.header.items()]
    parts += [_json_is(path, _fits(expected)) for path, expected in check.content.items()]
    return lambda answer: all(part(answer) for part in parts)


def _status_among(statuses: frozenset[str]) -> Holds:
    return lambda answer: str(answer.status) in statuses or f"{answer.status // 100}xx" in statuses


def _header_is(name: str, fits: Callable[[list[str]], bool]) -> Holds:
    return lambda answer: fits(_texts([answer.headers.get(name)]))


def _json_is(path: str, fits: Callable[[list[str]], bool]) -> Holds:
    # A body that cannot be read says nothing, not even that a value is not there.
    return lambda answer: answer.json is not None and fits(_texts(pick(answer.json, path)))


def _fits(expected: Expected) -> Callable[[list[str]], bool]:
    """Compile what is expected of the values found at one place; with `*` they may be many, and one is enough."""
    if not isinstance(expected, Matching):
        wanted = {_text(value) for value in (expected if isinstance(expected, list) else [expected])}
        return lambda found: not wanted.isdisjoint(found)
    if expected.matches is not None:
        matches = re.compile(expected.matches).search
        return lambda found: any(matches(text) for text in found)
    return lambda found: bool(found) is expected.exists


def json_of(body: bytes) -> Json:
    """Read a body; None where it is no JSON."""
    try:
        content: Json = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return content


def pick(content: Json, path: str) -> list[Json]:
    """Return the values at a path: none, one, or with `*` many. Null and "" are not there."""
    found = [content]
    for part in path.split("."):
        found = [inner for value in found for inner in _step(value, part)]
    return [value for value in found if value is not None and value != ""]


def text_at(content: Json, path: str | None) -> str:
    """Return the first text or number at a path as text; "" where there is none."""
    values = pick(content, path) if path else []
    return next((_text(value) for value in values if isinstance(value, str | int | float)), "")


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


def _texts(values: Sequence[Json]) -> list[str]:
    return [_text(value) for value in values if value is not None and value != ""]


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
