"""What UniSender's answers to questions tell: whether a contact arrived, and whether the settings are right. Pure."""

from collections.abc import Collection, Sequence

import msgspec

from relay.model import Outcome, Record, Result
from relay.sinks.base import ProbeResult
from relay.sinks.unisender.answers import THROTTLED_MS, Complaint, Said

_LETTER_UNSEEN = "; whether each has the letter that asks to confirm shows with the first contact only"


def found(said: Said, lists: Collection[int], *, knows_without_letter: bool) -> Result:
    """Say by an answer to getContact whether a contact was subscribed to lists.

    `knows_without_letter`: a contact that they know would have joined without a letter.
    """
    if isinstance(said, Complaint):
        return _refused(said)
    if isinstance(said, Result):
        kept = said.outcome in (Outcome.BLOCKED, Outcome.THROTTLED)
        return said if kept else Result(outcome=Outcome.THROTTLED, reason=f"the look-up failed: {said.reason}")
    try:
        known = msgspec.convert(said, _GetContact, strict=False).email
    except msgspec.ValidationError:
        return Result(outcome=Outcome.UNKNOWN, reason="what they say of the contact cannot be read")
    if set(lists) <= {one.id for one in known.lists}:
        return Result(outcome=Outcome.DELIVERED, reason="looked up: the contact is on the list")
    if known.status == "invited":
        return Result(outcome=Outcome.DELIVERED, reason="looked up: the letter that asks to confirm was sent")
    if known.status == "active" and knows_without_letter:
        return Result(outcome=Outcome.RETRY, reason="they know the contact, and it is not on the list")
    reason = f"they know the contact ({known.status or 'no status'}), but whether the letter was sent does not show"
    return Result(outcome=Outcome.UNKNOWN, reason=reason)


def _refused(said: Complaint) -> Result:
    if said.not_found:
        return Result(outcome=Outcome.RETRY, reason="they do not know this contact")
    meant = said.result("subscribe", 0)
    if meant.outcome is Outcome.BLOCKED:
        return meant
    return Result(outcome=Outcome.THROTTLED, reason=f"the look-up was refused: {meant.reason}", after_ms=THROTTLED_MS)


def probed(said: Said, list_ids: Sequence[int], *, letters: bool) -> ProbeResult:
    """Say by an answer to getLists what is wrong with key and lists. `letters`: contacts are asked to confirm."""
    if isinstance(said, Complaint):
        return ProbeResult(ok=False, message=said.result("subscribe", 0).reason)
    if isinstance(said, Result):
        return ProbeResult(ok=False, message=said.reason)
    try:
        titles = {one.id: one.title for one in msgspec.convert(said, list[_List], strict=False)}
    except msgspec.ValidationError:
        return ProbeResult(ok=False, message="their answer cannot be read: check the sink's url")
    missing = [str(id) for id in list_ids if id not in titles]
    if missing:
        there = ", ".join(f"{id} ({title})" for id, title in titles.items()) or "none"
        return ProbeResult(ok=False, message=f"there is no list {', '.join(missing)}; these there are: {there}")
    names = ", ".join(f"{id} ({titles[id]})" for id in list_ids)
    return ProbeResult(ok=True, message=f"the key is valid, contacts go to {names}{_LETTER_UNSEEN if letters else ''}")


class _List(Record):
    id: int
    title: str = ""


class _Known(Record):
    status: str = ""
    lists: list[_List] = msgspec.field(default_factory=list)


class _GetContact(Record):
    email: _Known
