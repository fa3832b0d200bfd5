"""What a person decides about a delivery: that it arrived, or that it is sent again."""

import time
from typing import Literal, TypeAlias

import msgspec

from relay.model import Attempt, DecisionKind, Outcome
from relay.store.scripts import Caller, Script

OperatorDecision: TypeAlias = Literal["confirm", "resend"]

_APPLY = Script("apply_operator_decision")
_AS_ATTEMPT = {
    "confirm": (Outcome.DELIVERED, DecisionKind.SETTLE, "confirmed"),
    "resend": (Outcome.RETRY, DecisionKind.RETRY, "resent"),
}
_ALLOWED = {
    "confirm": "only a held delivery can be confirmed",
    "resend": "only a held, dead, cancelled or skipped delivery can be resent",
}
_IMPOSSIBLE = {
    "": "there is no such delivery",
    "empty": "it has no content to send: mend the route, then change its entity in amoCRM, so that a new hook comes",
}
_ANSWER = msgspec.msgpack.Decoder(tuple[bool, str])


async def apply_operator_decision(call: Caller, id: str, decision: OperatorDecision, by: str) -> str | None:
    """Do what `by` decided, and add it to the story. Returns why not, where it was not done."""
    outcome, kind, done = _AS_ATTEMPT[decision]
    reason = f"{done} by {by}"
    attempt = Attempt(number=0, at=round(time.time() * 1000), took_ms=0, outcome=outcome, decision=kind, reason=reason)
    request = {"id": id, "decision": decision, "reason": reason}
    applied, state = _ANSWER.decode(await call(_APPLY, request, msgspec.json.encode(attempt)))
    if applied:
        return None
    return _IMPOSSIBLE.get(state) or f"it is {state}: {_ALLOWED[decision]}"
