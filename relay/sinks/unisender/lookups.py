"""What UniSender's answers to look-ups and probes mean: is the contact there, are the settings right. Pure."""

from collections.abc import Collection, Sequence

import msgspec

from relay.model import Outcome, Record, Result
from relay.sinks.base import ProbeResult
from relay.sinks.unisender.answers import THROTTLED_MS, ApiAnswer, MethodError

_LETTER_UNKNOWN = "; whether each list has a letter that asks to confirm is known only after the first contact"


def lookup_result(answer: ApiAnswer, lists: Collection[int], *, known_join_without_letter: bool) -> Result:
    """Return by the answer to getContact whether a contact was subscribed to lists.

    `known_join_without_letter`: a contact that exists there joins a list without being asked to confirm.
    """
    if isinstance(answer, MethodError):
        return _failed_lookup(answer)
    if isinstance(answer, Result):
        clear = answer.outcome in (Outcome.BLOCKED, Outcome.THROTTLED)
        return answer if clear else Result(outcome=Outcome.THROTTLED, reason=f"the look-up failed: {answer.reason}")
    try:
        contact = msgspec.convert(answer, _GetContact, strict=False).email
    except msgspec.ValidationError:
        return Result(outcome=Outcome.UNKNOWN, reason="their answer about the contact cannot be read")
    if set(lists) <= {list.id for list in contact.lists}:
        return Result(outcome=Outcome.DELIVERED, reason="looked up: the contact is on the list")
    if contact.status == "invited":
        return Result(outcome=Outcome.DELIVERED, reason="looked up: the letter that asks to confirm was sent")
    if contact.status == "active" and known_join_without_letter:
        return Result(outcome=Outcome.RETRY, reason="looked up: the contact exists, and is not on the list")
    status = contact.status or "no status"
    reason = f"looked up: the contact exists ({status}), but whether the letter was sent is not shown"
    return Result(outcome=Outcome.UNKNOWN, reason=reason)


def _failed_lookup(error: MethodError) -> Result:
    if error.not_found:
        return Result(outcome=Outcome.RETRY, reason="looked up: the contact does not exist")
    result = error.to_result("subscribe", 0)
    if result.outcome is Outcome.BLOCKED:
        return result
    return Result(outcome=Outcome.THROTTLED, reason=f"the look-up was refused: {result.reason}", after_ms=THROTTLED_MS)


def probe_result(answer: ApiAnswer, list_ids: Sequence[int], *, letters: bool) -> ProbeResult:
    """Return by the answer to getLists whether key and lists are right. `letters`: contacts are asked to confirm."""
    if isinstance(answer, MethodError):
        return ProbeResult(ok=False, message=answer.to_result("subscribe", 0).reason)
    if isinstance(answer, Result):
        return ProbeResult(ok=False, message=answer.reason)
    try:
        titles = {list.id: list.title for list in msgspec.convert(answer, list[_List], strict=False)}
    except msgspec.ValidationError:
        return ProbeResult(ok=False, message="their answer cannot be read: check the sink's url")
    missing = [str(id) for id in list_ids if id not in titles]
    if missing:
        existing = ", ".join(f"{id} ({title})" for id, title in titles.items()) or "none"
        return ProbeResult(ok=False, message=f"there is no list {', '.join(missing)}; these exist: {existing}")
    names = ", ".join(f"{id} ({titles[id]})" for id in list_ids)
    return ProbeResult(ok=True, message=f"the key is valid, contacts go to {names}{_LETTER_UNKNOWN if letters else ''}")


class _List(Record):
    id: int
    title: str = ""


class _KnownContact(Record):
    status: str = ""
    lists: list[_List] = msgspec.field(default_factory=list)


class _GetContact(Record):
    email: _KnownContact
