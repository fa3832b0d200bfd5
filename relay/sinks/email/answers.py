"""What the ending of a dialogue with a mail server means. Pure."""

from collections.abc import Mapping
from typing import Final

from relay.masking import mask_people
from relay.model import Outcome, Result
from relay.sinks.base import MAX_RESPONSE, ProbeResult
from relay.sinks.email.connection import SmtpReply
from relay.sinks.email.dialogue import Completed, Ending, Lost, Refused, Step, Unfit
from relay.sinks.failures import failure_outcome
from relay.transport import TransportFailure

_OF_THE_SINK: Final[frozenset[Step]] = frozenset({"greeting", "ehlo", "starttls", "auth", "mail"})
"""Steps at which a lasting no is about us, and not about one message."""
_TOO_LARGE: Final = 552
_LOGIN_WANTED: Final = 530
_ADVICE: Final[Mapping[Step, str]] = {
    "auth": "check login and password",
    "mail": "check sender: the login may have to be its own",
}
_MAX_SAID: Final = 200  # characters of a reply in a reason


def interpret(ending: Ending, recipients: int, *, repeatable: bool) -> Result:
    """Return what the ending means for a message to so many addresses."""
    match ending:
        case TransportFailure():
            return Result(outcome=failure_outcome(ending), reason=ending.reason)
        case Unfit():
            return Result(outcome=Outcome.BLOCKED, reason=ending.reason)
        case Lost():
            outcome = Outcome.UNKNOWN if ending.sent and not repeatable else Outcome.RETRY
            after = "after the whole message" if ending.sent else f"at {ending.step}"
            return Result(outcome=outcome, reason=f"{after}: {ending.reason}")
        case Refused():
            return _refused(ending, recipients)
        case Completed():
            return _completed(ending, recipients)


def _completed(ending: Completed, recipients: int) -> Result:
    reason = "accepted"
    if ending.refused:
        taken, first = recipients - len(ending.refused), next(iter(ending.refused.values()))
        reason = f"accepted for {taken} of {recipients} addresses, refused: {_quoted(first)}"
    return Result(
        outcome=Outcome.DELIVERED,
        reason=reason,
        status=ending.reply.code,
        response=_response(ending.reply, ending.refused),
    )


def _refused(ending: Refused, recipients: int) -> Result:
    reply, outcome = ending.reply, _outcome(ending)
    reason = f"at {ending.step}: {_quoted(reply)}"
    if ending.refused and recipients > 1:
        reason = f"{len(ending.refused)} of {recipients} addresses are refused: {_quoted(reply)}"
    if outcome is Outcome.BLOCKED:
        advice = "it wants a login" if reply.code == _LOGIN_WANTED else _ADVICE.get(ending.step, "")
        reason = f"{reason}: {advice}" if advice else reason
    return Result(outcome=outcome, reason=reason, status=reply.code, response=_response(reply, ending.refused))


def _outcome(ending: Refused) -> Outcome:
    if any(reply.code < 500 for reply in ending.refused.values()) and ending.step == "rcpt":
        return Outcome.RETRY
    if ending.reply.code < 500:
        return Outcome.RETRY
    if ending.reply.code == _LOGIN_WANTED or (ending.step in _OF_THE_SINK and ending.reply.code != _TOO_LARGE):
        return Outcome.BLOCKED
    return Outcome.REJECTED


def probe_result(ending: Ending, login: str | None) -> ProbeResult:
    """Return what the ending of a dialogue without a message says of the settings."""
    if not isinstance(ending, Completed):
        return ProbeResult(ok=False, message=interpret(ending, 0, repeatable=True).reason)
    how = f"over {ending.secured}" if ending.secured else "in plain text"
    return ProbeResult(
        ok=True, message=f"the mail server takes {'the login' if login else 'us without a login'}, {how}"
    )


def _quoted(reply: SmtpReply) -> str:
    return mask_people(reply.text[: 4 * _MAX_SAID])[:_MAX_SAID]


def _response(reply: SmtpReply, refused: Mapping[str, SmtpReply]) -> str:
    """Return what they said: of each address that they refused in a line, and at last."""
    lines = [f"{address}: {answer.text}" for address, answer in refused.items()]
    if reply not in refused.values():
        lines.append(reply.text)
    return mask_people("\n".join(lines)[: 4 * MAX_RESPONSE])[:MAX_RESPONSE]
