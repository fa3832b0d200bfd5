"""When a subscriber is sent an event again, exactly as amoCRM documents it. Pure; no jitter, no Retry-After.

| after attempt | wait | for codes |
|---|---|---|
| 1 | 5 min | 0–99 (no answer), and 300 and above |
| 2 | 15 min | the same |
| 3 | 15 min | 499 and 500–599 only |
| 4 | 1 h | the same |

A 404 is sent three times, a 503 five times. Then it is a dead letter. A 410 is sent as often as a 404; that it still
comes at the last attempt disables the subscription (`relay.sinks.subscriber.sink`).
"""

from relay.durations import format_exact_duration, parse_duration
from relay.model import Decision, DecisionKind, DeliveryState, Record

NO_ANSWER = 0
"""The code of a call without an answer: no connection, a timeout, or one that broke off."""

ACCEPTED = range(100, 300)
_FAILED = (range(100), range(300, 1000))
_SERVER_FAILED = (range(499, 500), range(500, 600))


class RetryRule(Record):
    """One line of the table."""

    after: int  # this attempt
    wait_ms: int
    codes: tuple[range, ...]


RETRY_RULES = tuple(
    RetryRule(after=attempt, wait_ms=parse_duration(wait), codes=codes)
    for attempt, wait, codes in (
        (1, "5m", _FAILED),
        (2, "15m", _FAILED),
        (3, "15m", _SERVER_FAILED),
        (4, "1h", _SERVER_FAILED),
    )
)


def amocrm_decision(code: int, attempt: int, reason: str) -> Decision:
    """Return what happens next to a delivery whose attempt, counted from 1, was answered with `code`."""
    if code in ACCEPTED:
        return Decision(kind=DecisionKind.SETTLE, state=DeliveryState.DELIVERED, reason=reason)
    for rule in RETRY_RULES:
        if rule.after == attempt and any(code in codes for codes in rule.codes):
            reason = f"{reason}; again in {format_exact_duration(rule.wait_ms)}"
            return Decision(kind=DecisionKind.RETRY, state=DeliveryState.PENDING, reason=reason, delay_ms=rule.wait_ms)
    reason = f"gave up after {attempt} attempt{'s' * (attempt > 1)}, as amoCRM would: {reason}"
    return Decision(kind=DecisionKind.DEAD, state=DeliveryState.DEAD, reason=reason)
