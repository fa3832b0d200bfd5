"""What a person decides about a delivery: that it arrived, or that it is sent again."""

import time
from typing import Literal, TypeAlias

import msgspec

from relay.model import Attempt, DecisionKind, Outcome
from relay.store.scripts import Caller, Script

OperatorDecision: TypeAlias = Literal["confirm", "resend"]

_APPLY = Script("apply_operator_decision")
_TOLD = {
    "confirm": (Outcome.DELIVERED, DecisionKind.SETTLE, "says that it arrived"),
    "resend": (Outcome.RETRY, DecisionKind.RETRY, "had it sent again"),
}
_DECIDABLE = {
    "confirm": "only what is held can be said to have arrived",
    "resend": "only what is held, dead, cancelled or skipped can be sent again",
}
_UNDECIDABLE = {
    "": "there is no such delivery",
    "empty": "nothing was ever made of it to send: replay its event instead",
}
_ANSWER = msgspec.msgpack.Decoder(tuple[bool, str])


async def apply_operator_decision(call: Caller, id: str, verdict: OperatorDecision, by: str) -> str | None:
    """Do what `by` decided, and have the story tell it. Returns why not, where it was not done."""
    outcome, decision, reason = _TOLD[verdict]
    told = Attempt(
        number=0, at=round(time.time() * 1000), took_ms=0, outcome=outcome, decision=decision, reason=f"{by} {reason}"
    )
    request = {"id": id, "verdict": verdict, "reason": told.reason}
    done, state = _ANSWER.decode(await call(_APPLY, request, msgspec.json.encode(told)))
    if done:
        return None
    return _UNDECIDABLE.get(state) or f"it is {state}: {_DECIDABLE[verdict]}"
