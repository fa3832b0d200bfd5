"""What answers mean by the YAML of a sink: `success_if`, `rejected_if` and the like, compiled once.

A check is a mapping of which all must hold, or a list of such mappings of which one must:

    success_if: {status: [200, 201], json: {status: ok}}
    rejected_if: [{json: {error.code: [3, 7]}}, {header: {X-Refused: {exists: true}}}]
    success_if: {text: {matches: "^OK:"}}

Values are compared as text, so 0 and "0" are the same. Paths within JSON are those of `relay.sinks.json_paths`. `text`
is the whole body without the blanks around it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from relay.config.section import Section
from relay.model import Json, Outcome
from relay.patterns import compile_pattern
from relay.sinks.json_paths import JsonPath, as_text, values_at
from relay.transport import Response, body_json, body_text, json_problem

Predicate: TypeAlias = Callable[["ParsedAnswer"], bool]

_STATUS = re.compile(r"[1-5](\d\d|xx)")


def _check_pattern(text: str) -> str:
    compile_pattern(text)
    return text


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _check_status(value: object) -> object:
    text = str(value)
    if isinstance(value, bool) or not _STATUS.fullmatch(text):
        raise ValueError(f"{value!r} is no HTTP status: write 429, or 5xx for all of them")
    return text


class ValueMatch(Section):
    """Whether a value exists, or a regular expression finds something in it."""

    exists: bool | None = None
    matches: Annotated[str, AfterValidator(_check_pattern)] | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.exists is None) == (self.matches is None):
            raise ValueError("give exactly one of exists and matches")
        return self


Scalar: TypeAlias = bool | int | str
Expected: TypeAlias = Scalar | list[Scalar] | ValueMatch


class AnswerCheck(Section):
    """What must hold of an answer, all of it."""

    status: Annotated[list[Annotated[str, BeforeValidator(_check_status)]], BeforeValidator(_as_list)] | None = None
    header: dict[str, Expected] = Field(default_factory=dict)
    content: dict[JsonPath, Expected] = Field(default_factory=dict, alias="json")
    text: Expected | None = None

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if not (self.status or self.header or self.content or self.text is not None):
            raise ValueError("an empty check holds always: give status, header, json or text")
        return self


AnyOf: TypeAlias = Annotated[list[AnswerCheck], BeforeValidator(_as_list), Field(min_length=1)]

CheckName: TypeAlias = Literal["success_if", "already_if", "throttled_if", "retry_if", "blocked_if", "rejected_if"]

OUTCOMES: Final[Mapping[CheckName, Outcome]] = {
    "success_if": Outcome.DELIVERED,
    "already_if": Outcome.DELIVERED,
    "throttled_if": Outcome.THROTTLED,
    "retry_if": Outcome.RETRY,
    "blocked_if": Outcome.BLOCKED,
    "rejected_if": Outcome.REJECTED,
}
"""What each check means, in the order in which they are tried: the first that holds decides."""


class AnswerChecks(BaseModel):
    """The checks that a sink's settings may have. Inherit it beside `SinkSettings`."""

    success_if: AnyOf | None = None
    already_if: AnyOf | None = None
    throttled_if: AnyOf | None = None
    retry_if: AnyOf | None = None
    blocked_if: AnyOf | None = None
    rejected_if: AnyOf | None = None

    @cached_property
    def _compiled(self) -> list[tuple[CheckName, Predicate]]:
        return [(name, compile_checks(checks)) for name in OUTCOMES if (checks := getattr(self, name))]

    def outcome(self, answer: Response) -> tuple[CheckName, Outcome] | None:
        """Return the first check that holds, and what it means; None where none does."""
        if not self._compiled:
            return None
        parsed = ParsedAnswer(answer)
        return next(((name, OUTCOMES[name]) for name, holds in self._compiled if holds(parsed)), None)

    def why_no_success(self, answer: Response) -> str:
        """Return why an answer is no success: `success_if` does not hold, or asks for JSON that cannot be read."""
        return _unreadable(answer, self.success_if or ()) or "success_if does not hold"

    def why_no_outcome(self, answer: Response) -> str:
        """Return why no check holds for an answer."""
        checks = [check for name in OUTCOMES for check in getattr(self, name) or ()]
        return _unreadable(answer, checks) or "no check holds for this answer"


def _unreadable(answer: Response, checks: Sequence[AnswerCheck]) -> str:
    problem = json_problem(answer) if any(check.content for check in checks) else ""
    return f"the answer cannot be read: {problem}" if problem else ""


class ParsedAnswer:
    """An answer that checks look at: its body is parsed once, and only where a check asks for it."""

    def __init__(self, answer: Response) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._answer = answer

    @cached_property
    def json(self) -> Json:
        """The body, None where it is no JSON or only its beginning arrived."""
        return body_json(self._answer)

    @cached_property
    def text(self) -> str | None:
        """The body without the blanks around it, None where only its beginning arrived."""
        return None if self._answer.truncated else body_text(self._answer).strip()


def compile_checks(checks: Sequence[AnswerCheck]) -> Predicate:
    """Compile a list of checks of which one must hold."""
    compiled = [_compile(check) for check in checks]
    return lambda answer: any(holds(answer) for holds in compiled)


def _compile(check: AnswerCheck) -> Predicate:
    parts: list[Predicate] = []
    if check.status is not None:
        parts.append(_status_among(frozenset(check.status)))
    parts += [_header_is(name, _matches(expected)) for name, expected in check.header.items()]
    parts += [_json_is(path, _matches(expected)) for path, expected in check.content.items()]
    if check.text is not None:
        parts.append(_text_is(_matches(check.text)))
    return lambda answer: all(part(answer) for part in parts)


def _status_among(statuses: frozenset[str]) -> Predicate:
    return lambda answer: str(answer.status) in statuses or f"{answer.status // 100}xx" in statuses


def _header_is(name: str, matches: Callable[[list[str]], bool]) -> Predicate:
    return lambda answer: matches(_texts([answer.headers.get(name)]))


def _json_is(path: str, matches: Callable[[list[str]], bool]) -> Predicate:
    # A body that cannot be parsed says nothing, not even that a value is absent.
    return lambda answer: answer.json is not None and matches(_texts(values_at(answer.json, path)))


def _text_is(matches: Callable[[list[str]], bool]) -> Predicate:
    return lambda answer: answer.text is not None and matches(_texts([answer.text]))


def _matches(expected: Expected) -> Callable[[list[str]], bool]:
    """Compile what is expected of the values at one place; with `*` they may be many, and one is enough."""
    if not isinstance(expected, ValueMatch):
        accepted = {as_text(value) for value in (expected if isinstance(expected, list) else [expected])}
        return lambda values: not accepted.isdisjoint(values)
    if expected.matches is not None:
        search = compile_pattern(expected.matches)
        return lambda values: any(map(search, values))
    return lambda values: bool(values) is expected.exists


def _texts(values: Sequence[Json]) -> list[str]:
    return [as_text(value) for value in values if value is not None and value != ""]
