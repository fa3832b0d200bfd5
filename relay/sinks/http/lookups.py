"""Asking an HTTP endpoint what is there: the parts of the YAML that say how, the requests, and what the answers mean.

The sink says how to ask, with references (`<email>`) to what the route gives under `lookup` or `needs`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from relay.errors import RejectDelivery
from relay.model import Json, Outcome, Record, Result
from relay.sinks.address import encode_pairs, safe_path
from relay.sinks.checks import Answered, AnyOf, JsonPath, compile_checks, pick, text_at
from relay.sinks.http.auth import Part
from relay.sinks.http.content import Method
from relay.sinks.http.references import fill, fill_path, fill_text, given, names
from relay.transport import Response, TransportFailure

KEY = "key"
"""The reference that is always there: what a repetition is recognised by."""


def _safe_path(path: str) -> str:
    try:
        return safe_path(path)
    except RejectDelivery as error:
        raise ValueError(str(error)) from None


def _checked_path(path: str) -> str:
    _safe_path(fill_path(path, dict.fromkeys(names(path), "x")))
    return path


AskedPath: TypeAlias = Annotated[str, AfterValidator(_checked_path)]
SafePath: TypeAlias = Annotated[str, AfterValidator(_safe_path)]


class Ask(Part):
    """One question: is it there? `found_if` says when it is (default: `id_path` leads to something)."""

    method: Method = "GET"
    path: AskedPath = ""
    query: dict[str, str] = Field(default_factory=dict)
    body: JsonValue = None
    found_if: AnyOf | None = None
    id_path: JsonPath | None = None

    @model_validator(mode="after")
    def _can_tell(self) -> "Ask":
        if not (self.found_if or self.id_path):
            raise ValueError("give found_if or id_path: else nobody can tell whether it was found")
        return self

    @property
    def refers(self) -> list[Json]:
        """Return all in which references may stand."""
        return [self.path, self.query, self.body]


class Make(Part):
    """How to make what was not found. `id_path`: where the answer has what the content uses."""

    method: Method = "POST"
    path: AskedPath = ""
    query: dict[str, str] = Field(default_factory=dict)
    body: JsonValue = None
    id_path: JsonPath

    @property
    def refers(self) -> list[Json]:
        """Return all in which references may stand."""
        return [self.path, self.query, self.body]


class Need(Part):
    """Something that must be there first, such as the customer of an invoice: looked up, else made.

    Of several look-ups each is asked in turn; one that refers to a value which this delivery has not is left out.
    """

    lookup: Annotated[
        list[Ask], BeforeValidator(lambda value: value if isinstance(value, list) else [value]), Field(min_length=1)
    ]
    create: Make | None = None

    @model_validator(mode="after")
    def _knows_what(self) -> "Need":
        if any(ask.id_path is None for ask in self.lookup):
            raise ValueError("each lookup of a need has an id_path: what it leads to is what the content uses")
        return self


Needs: TypeAlias = dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], Need]


class Question(Record):
    """A request to make, without address and credentials."""

    method: str
    path: str
    query: str
    body: bytes


def question(ask: Ask | Make, values: Mapping[str, Json]) -> Question:
    """Fill a question in. Raise RejectDelivery where the values cannot be in a path."""
    return Question(
        method=ask.method,
        path=safe_path(fill_path(ask.path, values)),
        query=encode_pairs("query", {name: fill_text(text, values) for name, text in ask.query.items()}),
        body=b"" if ask.body is None else msgspec.json.encode(fill(ask.body, values)),
    )


def can_ask(ask: Ask, values: Mapping[str, Json]) -> bool:
    """Return whether there is all that a question refers to."""
    return all(given(part, values) for part in ask.refers)


State: TypeAlias = Literal["found", "missing", "several", "unclear"]


class Found(Record):
    """What a look-up came to. `unclear`: `result` says why, and what becomes of who asked."""

    state: State
    value: Json = None
    result: Result | None = None


def read_found(ask: Ask, result: Result, answer: Response | TransportFailure) -> Found:
    """Return what an answer to a look-up means; `result` is what the answer means by itself. Pure."""
    if isinstance(answer, TransportFailure):
        return _unclear(result)
    if answer.status == 404 and any(names(ask.path)):
        return Found(state="missing")  # the path names the thing itself
    # Their success_if is about deliveries, so that it does not hold means nothing here.
    if answer.status // 100 != 2 or result.outcome not in (Outcome.DELIVERED, Outcome.UNKNOWN):
        return _unclear(result)
    answered = Answered(answer)
    if answered.json is None:
        return _unclear(msgspec.structs.replace(result, outcome=Outcome.REJECTED, reason="it cannot be read"))
    values = [] if ask.id_path is None else pick(answered.json, ask.id_path)
    if not (compile_checks(ask.found_if)(answered) if ask.found_if else values):
        return Found(state="missing")
    several = any(value != values[0] for value in values)
    return Found(state="several" if several else "found", value=values[0] if values else None)


def _unclear(result: Result) -> Found:
    """Return what a look-up's own trouble means: where time may mend it it is asked again, else somebody must look."""
    if result.outcome is Outcome.REJECTED:
        # An address that is not there is the sink's fault, whatever the delivery.
        outcome = Outcome.BLOCKED if result.status in (404, 405) else Outcome.UNKNOWN
    else:
        outcome = Outcome.BLOCKED if result.outcome is Outcome.BLOCKED else Outcome.THROTTLED
    reason = f"the look-up failed: {result.reason}"
    return Found(state="unclear", result=msgspec.structs.replace(result, outcome=outcome, reason=reason))


def looked_up(found: Found) -> Result:
    """Return what a look-up tells about the delivery: it is there, or it is not and may be sent."""
    match found.state:
        case "missing":
            return Result(outcome=Outcome.RETRY, reason="looked up: it is not there")
        case "unclear":
            assert found.result
            return found.result
        case state:
            more = ", more than once" if state == "several" else ""
            reason = f"looked up: it is there{more}"
            return Result(outcome=Outcome.DELIVERED, reason=reason, provider_id=text_at({"id": found.value}, "id"))
