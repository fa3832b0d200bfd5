"""What the answers of Telegram's Bot API mean. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from relay.masking import mask_people
from relay.model import Outcome, Result
from relay.sinks.failures import failure_outcome
from relay.sinks.retry_after import MAX_RETRY_AFTER_MS
from relay.transport import Answer, TransportFailure, body_json, json_problem

_MAX_SAID: Final = 300  # characters of their description that are kept
_BAD_TOKEN: Final = frozenset({401, 404})
_OF_THE_CHAT: Final = (
    "chat not found",
    "chat_id is empty",
    "group chat was deactivated",
    "group chat was upgraded",
    "have no rights to send",
    "not enough rights",
    "peer_id_invalid",
    "topic_closed",
    "message thread not found",
    "user is deactivated",
)
"""In the description of a 400: the chat is wrong or closed to the bot, and so for every message to it."""


def interpret(answer: Answer, *, own_chat: bool, repeatable: bool) -> Result:
    """Return what an answer to sendMessage means.

    `own_chat`: the chat is the route's own, so what is wrong with it closes that route alone. `repeatable`: a message
    that comes twice does no harm.
    """
    if isinstance(answer, TransportFailure):
        return Result(outcome=failure_outcome(answer, repeatable=repeatable), reason=answer.reason)
    fields = body_json(answer)
    if not isinstance(fields, dict) or not isinstance(fields.get("ok"), bool):
        return _unreadable(answer.status, json_problem(answer), repeatable=repeatable)
    if fields["ok"]:
        message = fields.get("result")
        id = message.get("message_id", "") if isinstance(message, dict) else ""
        return Result(outcome=Outcome.DELIVERED, reason="sent", status=answer.status, provider_id=str(id))
    return _refused(answer.status, fields, own_chat=own_chat, repeatable=repeatable)


def _refused(status: int, fields: Mapping[str, Any], *, own_chat: bool, repeatable: bool) -> Result:
    said = _description(fields)
    reason = f"{status}: {said}"
    more = fields.get("parameters")
    parameters: Mapping[str, Any] = more if isinstance(more, dict) else {}
    scope = "route" if own_chat else "sink"
    if status == 429:
        return Result(outcome=Outcome.THROTTLED, reason=reason, status=429, after_ms=_wait_ms(parameters))
    if status in _BAD_TOKEN:
        advice = f"{reason}: the token is wrong: ask @BotFather for it again"
        return Result(outcome=Outcome.BLOCKED, reason=advice, status=status)
    if moved := parameters.get("migrate_to_chat_id"):
        advice = f"{reason}: the group has become a supergroup: write chat_id: {moved}"
        return Result(outcome=Outcome.BLOCKED, reason=advice, status=status, scope=scope)
    if status == 403 or any(words in said.lower() for words in _OF_THE_CHAT):
        advice = f"{reason}: {_advice(said)}"
        return Result(outcome=Outcome.BLOCKED, reason=advice, status=status, scope=scope)
    if 400 <= status < 500:
        return Result(outcome=Outcome.REJECTED, reason=reason, status=status)
    return Result(outcome=Outcome.RETRY if repeatable else Outcome.UNKNOWN, reason=reason, status=status)


def _description(fields: Mapping[str, Any]) -> str:
    """Return how they describe an error, people masked."""
    return mask_people(str(fields.get("description") or "no description")[: 4 * _MAX_SAID])[:_MAX_SAID]


def _advice(said: str) -> str:
    if "blocked by the user" in said:
        return "who is written to has blocked the bot"
    if "thread" in said or "TOPIC" in said:
        return "check message_thread_id"
    return "check chat_id, and whether the bot is in that chat and may write there"


def _wait_ms(parameters: Mapping[str, Any]) -> int | None:
    seconds = parameters.get("retry_after")
    if isinstance(seconds, int) and not isinstance(seconds, bool) and seconds >= 0:
        return min(seconds * 1000, MAX_RETRY_AFTER_MS)
    return None


def _unreadable(status: int, problem: str, *, repeatable: bool) -> Result:
    reason = f"{status}: " + (f"the answer cannot be read: {problem}" if problem else "not Telegram's answer")
    if status == 429:
        return Result(outcome=Outcome.THROTTLED, reason=reason, status=status)
    if 300 <= status < 500 and status != 408:
        return Result(outcome=Outcome.BLOCKED, reason=f"{reason}: check the sink's url", status=status)
    return Result(outcome=Outcome.RETRY if repeatable else Outcome.UNKNOWN, reason=reason, status=status)
