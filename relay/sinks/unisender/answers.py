"""What UniSender's answers mean. Errors come inside HTTP 200, so the body is read whatever the status says."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from relay.model import Outcome, Record, Result
from relay.sinks.masking import without_people
from relay.sinks.unisender.content import Action, Contact
from relay.transport import Answer, Response, TransportFailure

THROTTLED_MS = 60_000  # they count by the minute and send no Retry-After
MOST_TRIES = 3  # of what they cannot explain

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
    "invalid_api_key": "the api_key is not valid: take it anew from the account's settings",
    "access_denied": "the api_key may not do this: is the API switched on for the account?",
    "unknown_method": "they know no such method: check the sink's url",
    "not_enough_money": "the account has no money left",
}
_NO_LETTER = "has no confirmation letters"
_OTHERS_PHONE = "already exist but owned by different subscribers"
_NOT_FOUND = "not found"


class Complaint(Record):
    """The error of an answer, or of one contact of an import."""

    code: str
    message: str

    @property
    def not_found(self) -> bool:
        """Return whether they do not know the contact."""
        return self.message.startswith("Contact") and self.message.rstrip(".").endswith(_NOT_FOUND)

    def result(self, action: Action, tries: int) -> Result:
        """Return what it means; `tries` were made before."""
        said = without_people(f"{self.code}: {self.message}")[:300]
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
        if tries + 1 >= MOST_TRIES:
            return Result(outcome=Outcome.REJECTED, reason=f"after {tries + 1} tries still {said}")
        return Result(outcome=Outcome.RETRY, reason=said)


Said: TypeAlias = "Mapping[str, object] | list[object] | Complaint | Result"
"""The `result` of an answer, its complaint, or what it means where it says neither."""


def read(answer: Answer) -> Said:
    """Read an answer, or its absence."""
    if isinstance(answer, TransportFailure):
        outcome = Outcome.UNKNOWN if answer.sent else Outcome.RETRY
        return Result(outcome=Outcome.BLOCKED if answer.kind == "tls" else outcome, reason=answer.reason)
    try:
        body: object = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    match body:
        case {"error": str(message), **rest} if message or rest.get("code"):
            complaint = Complaint(code=str(rest.get("code") or "unspecified"), message=message)
            if answer.status == 200 or complaint.code in _OUTCOMES:
                return complaint
        case {"result": dict() | list() as result} if answer.status == 200:
            return result
    return _unreadable(answer)


def _unreadable(answer: Response) -> Result:
    said = f"{answer.status} without a readable answer"
    if answer.status == 429:
        return Result(outcome=Outcome.THROTTLED, reason=said, status=429, after_ms=THROTTLED_MS)
    if 300 <= answer.status < 500 and answer.status != 408:
        reason = f"{said}: check the sink's url"
        return Result(outcome=Outcome.BLOCKED, reason=reason, status=answer.status)
    return Result(outcome=Outcome.UNKNOWN, reason=said, status=answer.status)


def meaning(said: Said, contact: Contact, tries: int) -> Result:
    """Return what an answer to a call means for the delivery of a contact; `tries` were made before."""
    if isinstance(said, Complaint):
        result = said.result(contact.action, tries)
    elif isinstance(said, Result):
        result = said
    else:
        result = _done(contact.action, said)
    if contact.action != "subscribe" and result.outcome is Outcome.UNKNOWN:
        result = msgspec.structs.replace(result, outcome=Outcome.RETRY)  # who has left may leave again
    return msgspec.structs.replace(result, reason=contact.masked(result.reason))


def _done(action: Action, said: Said) -> Result:
    told = said if action == "subscribe" and isinstance(said, Mapping) else {}
    letter = ", a letter asks to confirm" if told.get("invitation_letter_sent") else ""
    person = str(told.get("person_id") or "")
    return Result(outcome=Outcome.DELIVERED, reason=f"{action}d{letter}", status=200, provider_id=person)


class Imported(Record):
    """What an import came to: the complaints by row, and whether every one found its row."""

    complaints: Mapping[int, Complaint]
    complete: bool


def imported(result: Said, rows: int) -> Imported | None:
    """Read the log of an import of so many rows. None where it cannot be read."""
    try:
        told = msgspec.convert(result, _Import, strict=False)
    except msgspec.ValidationError:
        return None
    complaints = {
        line.index: Complaint(code=line.code, message=line.message) for line in told.log if 0 <= line.index < rows
    }
    placed = all(0 <= line.index < rows for line in told.log)
    return Imported(complaints=complaints, complete=placed and len(complaints) >= told.invalid)


class _Line(Record):
    index: int
    code: str = "unspecified"
    message: str = ""


class _Import(Record):
    total: int
    invalid: int = 0
    log: list[_Line] = msgspec.field(default_factory=list)
