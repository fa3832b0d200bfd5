"""Decide what is done about what an attempt came to, and record it for its story."""

import random

import msgspec

from relay.masking import mask_known
from relay.model import Attempt, Decision, Delivery, Outcome, Record, Result
from relay.retrying import wait_for_sink
from relay.sinks.base import Sink
from relay.store.records import Settlement
from workers.attempts import AttemptResult

_json = msgspec.json.Encoder().encode


class Decided(Record):
    """What is settled about an attempt, as it is stored and as it is recorded."""

    settlement: Settlement
    attempt: Attempt


def decide_attempt(
    attempted: AttemptResult, sink: Sink, at: float, took: float, worker: str, *, counted: bool, is_followed: bool
) -> Decided:
    """Decide by a result. `at`: when the attempt began, epoch seconds. `counted`: it is the first of its call."""
    delivery, result, at_ms = attempted.delivery, _masked(attempted.result, sink), round(at * 1000)
    decision = _decide(sink, attempted, result, at_ms - delivery.accepted_at)
    record = Attempt(
        number=delivery.attempts + 1,
        at=at_ms,
        took_ms=round(took * 1000),
        outcome=result.outcome,
        reason=result.reason,
        decision=decision.kind,
        status=result.status,
        response=result.response,
        provider_id=result.provider_id,
        segments=result.segments,
        cost=result.cost,
        next_at=round((at + took) * 1000) + decision.delay_ms if decision.delay_ms else None,
        worker=worker,
    )
    settlement = Settlement(
        delivery=delivery,
        outcome=result.outcome,
        decision=decision,
        attempt=_json(record),
        counted=counted,
        is_followed=is_followed,
    )
    return Decided(settlement=settlement, attempt=record)


def log_line(delivery: Delivery, attempt: Attempt) -> dict[str, object]:
    """Return what is logged of an attempt."""
    return {
        "delivery_id": delivery.id, "event_id": delivery.event_id, "route": delivery.route, "attempt": attempt.number,
        "outcome": attempt.outcome, "decision": attempt.decision, "status": attempt.status, "ms": attempt.took_ms,
        "reason": attempt.reason,
    }  # fmt: skip


def _decide(sink: Sink, attempted: AttemptResult, result: Result, age_ms: int) -> Decision:
    delivery = attempted.delivery
    if attempted.probed or (delivery.trial and result.outcome is Outcome.RETRY):
        return wait_for_sink(result, keeps_mark=delivery.sending)
    return sink.decide(
        result,
        attempts=delivery.attempts,
        age_ms=age_ms,
        jitter=random.random(),
        looked_up=attempted.looked_up,
        at_fault=delivery.at_fault,
    )


def _masked(result: Result, sink: Sink) -> Result:
    """Return a result in which the sink's secrets are masked, also where the sink itself does not think of it."""
    hidden = sink.hidden_anywhere
    if not hidden:
        return result
    reason, response = mask_known(result.reason, hidden), mask_known(result.response, hidden)
    if (reason, response) == (result.reason, result.response):
        return result
    return msgspec.structs.replace(result, reason=reason, response=response)
