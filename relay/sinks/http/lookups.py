"""What the answers to look-ups mean: is it there, what is its id, and what follows for the delivery. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from relay.model import Json, Outcome, Record, Result
from relay.sinks.answer_checks import ParsedAnswer, compile_checks
from relay.sinks.http.references import has_all_values, reference_names
from relay.sinks.http.settings import LookupSettings
from relay.sinks.json_paths import text_at, values_at
from relay.transport import Answer, TransportFailure, json_problem

LookupState: TypeAlias = Literal["found", "missing", "several", "unclear"]


class LookupResult(Record):
    """What a look-up found. `unclear`: `result` says why, and what follows for the delivery that asked."""

    state: LookupState
    value: Json = None
    result: Result | None = None


def can_look_up(settings: LookupSettings, values: Mapping[str, Json]) -> bool:
    """Return whether there is a value for everything that a look-up refers to."""
    return all(has_all_values(text, values) for text in settings.referring)


def read_lookup(settings: LookupSettings, result: Result, answer: Answer) -> LookupResult:
    """Return what an answer to a look-up says; `result` is what the answer means by itself."""
    if isinstance(answer, TransportFailure):
        return _unclear(result)
    if answer.status == 404 and any(reference_names(settings.path)):
        return LookupResult(state="missing")  # the path names the thing itself
    # Their success_if is about deliveries: that it does not hold means nothing here.
    if answer.status // 100 != 2 or result.outcome not in (Outcome.DELIVERED, Outcome.UNKNOWN):
        return _unclear(result)
    parsed = ParsedAnswer(answer)
    if parsed.json is None and not (settings.found_if and any(check.text is not None for check in settings.found_if)):
        reason = f"the answer cannot be read: {json_problem(answer) or 'it is null'}"
        return _unclear(msgspec.structs.replace(result, outcome=Outcome.REJECTED, reason=reason))
    values = [] if settings.id_path is None else values_at(parsed.json, settings.id_path)
    if not (compile_checks(settings.found_if)(parsed) if settings.found_if else values):
        return LookupResult(state="missing")
    return found_result(values)


def found_result(values: Sequence[Json]) -> LookupResult:
    """Return the result of a look-up that found something, here the values at its `id_path`; it may have none."""
    several = any(value != values[0] for value in values)
    return LookupResult(state="several" if several else "found", value=values[0] if values else None)


def _unclear(result: Result) -> LookupResult:
    """Return the result of a look-up that failed: throttled where it may work later, else blocked or unknown."""
    if result.outcome is Outcome.REJECTED:
        # An address that does not exist is wrong in the sink's settings, not in the delivery.
        outcome = Outcome.BLOCKED if result.status in (404, 405) else Outcome.UNKNOWN
    else:
        outcome = Outcome.BLOCKED if result.outcome is Outcome.BLOCKED else Outcome.THROTTLED
    reason = f"the look-up failed: {result.reason}"
    return LookupResult(state="unclear", result=msgspec.structs.replace(result, outcome=outcome, reason=reason))


def delivery_result(found: LookupResult) -> Result:
    """Return what a look-up says about the delivery itself: it is there, or it is not and may be sent."""
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
