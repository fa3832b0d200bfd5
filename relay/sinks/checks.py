"""What an answer means where the vendor says so in his own way: ordered checks over status, headers and JSON."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from relay.model import Json, Outcome
from relay.sinks.transport import Response

_STATUS = re.compile(r"[1-5](\d\d|xx)")


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _as_text(value: object) -> object:
    """Compare by what is written: vendors say 0 here and "0" there."""
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _texts(value: object) -> object:
    return [_as_text(item) for item in value] if isinstance(value, list) else value


def _status(text: str) -> str:
    if not _STATUS.fullmatch(text):
        raise ValueError(f"{text!r} is no HTTP status: write 429, or 5xx for all of them")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    return text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expected(_Part):
    """What a value must be like: there (or not), or somewhere in it a regular expression."""

    exists: bool | None = None
    matches: Annotated[str, AfterValidator(_pattern)] | None = None

    def holds(self, value: Json) -> bool:
        """Tell whether a value is so. `None` is one that is not there."""
        if self.exists is not None and self.exists != (value is not None):
            return False
        return self.matches is None or (value is not None and bool(re.search(self.matches, _written(value))))


Texts: TypeAlias = Annotated[list[str], BeforeValidator(_texts), BeforeValidator(_listed), Field(min_length=1)]
Statuses: TypeAlias = Annotated[
    list[Annotated[str, AfterValidator(_status)]], BeforeValidator(_texts), BeforeValidator(_listed)
]
Wanted: TypeAlias = Expected | Texts


class Check(_Part):
    """All of: the status is one of these, headers and values of the JSON body are one of theirs.

    `json` names values by their path, list indexes included: `messages.0.status`. They are compared as text.
    """

    status: Statuses | None = None
    headers: dict[str, Wanted] = {}
    body: dict[str, Wanted] = Field({}, alias="json")

    def holds(self, response: Response, body: Json) -> bool:
        """Tell whether it holds for an answer whose body says `body`."""
        return (
            (self.status is None or _has_status(self.status, response.status))
            and all(_is(wanted, response.headers.get(name)) for name, wanted in self.headers.items())
            and all(_is(wanted, json_at(body, path)) for path, wanted in self.body.items())
        )


AnyOf: TypeAlias = Annotated[list[Check], BeforeValidator(_listed), Field(min_length=1)]

_ORDER: Final[Mapping[str, Outcome]] = {
    "success_if": Outcome.DELIVERED,
    "already_if": Outcome.DELIVERED,
    "throttled_if": Outcome.THROTTLED,
    "blocked_if": Outcome.BLOCKED,
    "rejected_if": Outcome.REJECTED,
}


class Checks(BaseModel):
    """The settings of a sink that is told how to read answers. Each is a check, or a list of which any may hold."""

    success_if: AnyOf | None = None
    already_if: AnyOf | None = None
    throttled_if: AnyOf | None = None
    blocked_if: AnyOf | None = None
    rejected_if: AnyOf | None = None

    def outcome(self, response: Response) -> tuple[str, Outcome] | None:
        """Give the first setting that holds and what it means; None where none does."""
        body = json_of(response.body)
        for name, outcome in _ORDER.items():
            checks: list[Check] | None = getattr(self, name)
            if checks and any(check.holds(response, body) for check in checks):
                return name, outcome
        return None


def json_of(body: bytes) -> Json:
    """Read a body; None where it is no JSON."""
    try:
        read: Json = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return read


def json_at(body: Json, path: str) -> Json:
    """Give the value at a path such as `messages.0.status`; None where nothing is there."""
    value: Any = body
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    found: Json = value
    return found


def text_at(body: Json, path: str | None) -> str:
    """Give the text or number at a path as text; "" where there is none."""
    value = json_at(body, path) if path else None
    return _written(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _has_status(wanted: list[str], status: int) -> bool:
    return str(status) in wanted or f"{status // 100}xx" in wanted


def _is(wanted: Expected | list[str], value: Json) -> bool:
    return wanted.holds(value) if isinstance(wanted, Expected) else _written(value) in wanted


def _written(value: Json) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()  # true, null, 0.5, and nothing in between
