"""What UniSender's answers mean. Errors come with status 200, so the body is read whatever the status is. Pure."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from relay.masking import mask_people
from relay.model import Outcome, Record, Result
from relay.sinks.failures import failure_outcome
from relay.sinks.unisender.content import Action, Contact
from relay.transport import Answer, Response, TransportFailure, body_json, json_problem

THROTTLED_MS = 60_000  # their limits are per minute, and they send no Retry-After
MAX_TRIES = 3  # for errors without a known code
_MAX_SAID = 300  # characters of a message that are kept; more are masked, so that no half of a person remains

_OUTCOMES = {
    "invalid_api_key": Outcome.BLOCKED,
    "access_denied": Outcome.BLOCKED,
    "unknown_method": Outcome.BLOCKED,
    "not_enough_money": Outcome.BLOCKED,
    "invalid_arg": Outcome.REJECTED,
    "retry_later": Outcome.RETRY,
    "api_call_limit_exceeded_for_api_key": Outcome.THROTTLED,
    "api_call_limit_exceeded_for_ip": Outcome.THROTTLED,
}
_ADVICE = {
    "invalid_api_key": "the api_key is not valid: copy it again from the account's settings",
    "access_denied": "the api_key may not do this: is the API switched on for the account?",
    "unknown_method": "they do not know this method: check the sink's url",
    "not_enough_money": "the account has no money left",
}
_NO_LETTER = "has no confirmation letters"
_OTHERS_PHONE = "already exist but owned by different subscribers"
_NOT_FOUND = "not found"


class MethodError(Record):
    """An error in an answer, or of one contact in the log of an import."""

    code: str
    message: str

    @property
    def not_found(self) -> bool:
        """Return whether the contact does not exist there."""
        return self.message.startswith("Contact") and self.message.rstrip(".").endswith(_NOT_FOUND)

    def to_result(self, action: Action, tries: int) -> Result:
        """Return what it means after so many earlier tries."""
        said = mask_people(f"{self.code}: {self.message}"[: 4 * _MAX_SAID])[:_MAX_SAID]
        outcome = _OUTCOMES.get(self.code)
        if outcome is not None:
            advice = f"{_ADVICE[self.code]} ({said})" if self.code in _ADVICE else said
            after_ms = THROTTLED_MS if outcome is Outcome.THROTTLED else None
            return Result(outcome=outcome, reason=advice, after_ms=after_ms)
        if action != "subscribe" and self.not_found:
            return Result(outcome=Outcome.DELIVERED, reason="they did not know this contact anyway")
        if _NO_LETTER in self.message:
            advice = "the list has no letter that asks to confirm: make one for it, or set double_optin: 3"
            return Result(outcome=Outcome.BLOCKED, reason=f"{advice} ({said})", scope="route")
        if _OTHERS_PHONE in self.message:
            return Result(outcome=Outcome.REJECTED, reason=f"e-mail and phone belong to different contacts ({said})")
        if tries + 1 >= MAX_TRIES:
            return Result(outcome=Outcome.REJECTED, reason=f"after {tries + 1} tries still {said}")
        return Result(outcome=Outcome.RETRY, reason=said)


ApiAnswer: TypeAlias = "Mapping[str, object] | list[object] | MethodError | Result"
"""The `result` of an answer, its error, or what it means where it has neither."""


def parse_answer(answer: Answer) -> ApiAnswer:
    """Parse an answer, or its absence."""
    if isinstance(answer, TransportFailure):
        return Result(outcome=failure_outcome(answer), reason=answer.reason)
    match body_json(answer):
        case {"error": str(message), **rest} if message or rest.get("code"):
            error = MethodError(code=str(rest.get("code") or "unspecified"), message=message)
            if answer.status == 200 or error.code in _OUTCOMES:
                return error
        case {"result": dict() | list() as result} if answer.status == 200:
            return result
    return _unreadable(answer)


def _unreadable(answer: Response) -> Result:
    problem = json_problem(answer)
    reason = f"{answer.status}: " + (f"the answer cannot be read: {problem}" if problem else "not UniSender's answer")
    if answer.status == 429:
        return Result(outcome=Outcome.THROTTLED, reason=reason, status=429, after_ms=THROTTLED_MS)
    if 300 <= answer.status < 500 and answer.status != 408:
        reason = f"{reason}: check the sink's url"
        return Result(outcome=Outcome.BLOCKED, reason=reason, status=answer.status)
    return Result(outcome=Outcome.UNKNOWN, reason=reason, status=answer.status)


def interpret(answer: ApiAnswer, contact: Contact, tries: int) -> Result:
    """Return what the answer to a call means for the delivery of a contact, after so many earlier tries."""
    if isinstance(answer, MethodError):
        result = answer.to_result(contact.action, tries)
    elif isinstance(answer, Result):
        result = answer
    else:
        result = _done(contact.action, answer)
    if contact.action != "subscribe" and result.outcome is Outcome.UNKNOWN:
        result = msgspec.structs.replace(result, outcome=Outcome.RETRY)  # excluding or unsubscribing twice does no harm
    return msgspec.structs.replace(result, reason=contact.masked(result.reason))


def _done(action: Action, answer: Mapping[str, object] | list[object]) -> Result:
    details = answer if action == "subscribe" and isinstance(answer, Mapping) else {}
    letter = ", a letter asks to confirm" if details.get("invitation_letter_sent") else ""
    person = str(details.get("person_id") or "")
    return Result(outcome=Outcome.DELIVERED, reason=f"{action}d{letter}", status=200, provider_id=person)


class ImportLog(Record):
    """The errors of an import by row. `complete`: each of them could be assigned to its row."""

    errors: Mapping[int, MethodError]
    complete: bool


def parse_import_log(answer: ApiAnswer, rows: int) -> ImportLog | None:
    """Read the log of an import of so many rows. None where it cannot be read."""
    try:
        imported = msgspec.convert(answer, _Import, strict=False)
    except msgspec.ValidationError:
        return None
    errors = {
        line.index: MethodError(code=line.code, message=line.message) for line in imported.log if 0 <= line.index < rows
    }
    assigned = all(0 <= line.index < rows for line in imported.log)
    return ImportLog(errors=errors, complete=assigned and len(errors) >= imported.invalid)


class _LogLine(Record):
    index: int
    code: str = "unspecified"
    message: str = ""


class _Import(Record):
    total: int
    invalid: int = 0
    log: list[_LogLine] = msgspec.field(default_factory=list)
