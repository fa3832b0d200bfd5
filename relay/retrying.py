"""Decide what follows from the outcome of an attempt, and when. Pure: age and jitter are arguments, nothing sleeps.

How a delivery to a failing sink lives:

1. An attempt that did not arrive waits by the schedule (5 s, 15 s, 45 s … 1 h) and is tried again, until it is
   delivered or its attempts are used up. Then it is a dead letter, kept whole.
2. `throttled` and `blocked` say nothing about the event: it waits and keeps its attempts, for days if need be. So
   attempts end a delivery and, by default, age does not: what waited behind a broken sink has not had its tries yet.
3. A sink that is `blocked` for one delivery while others arrive is not broken: that one is tried by the schedule.
4. `unknown` may have been applied: harmless to repeat, or looked up before it is sent again, or held for a person
   (`on_unknown`). What looking up cannot tell is held.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec
import tenacity
from tenacity.wait import wait_base

from relay.durations import format_exact_duration
from relay.model import Decision, DecisionKind, DeliveryState, Outcome, Record, Result

OnUnknown: TypeAlias = Literal["lookup", "hold", "retry"]

DEFAULT_SCHEDULE: wait_base = tenacity.wait_exponential(multiplier=5, exp_base=3, max=3600)
"""5 s, 15 s, 45 s, 2m15s, 6m45s, 20m15s, then every hour: a blip costs seconds, a day's outage a few dozen tries."""

DEFAULT_ATTEMPTS = 80
"""With the default schedule three days of trying: the other side may be down from Friday evening to Monday."""

_JITTER = 0.2  # deliveries that failed together must not come back together
_MAX_ADDED_MS = 60_000  # to what they asked for: who may come tomorrow does not come hours later
_NO_CALL = tenacity.Retrying()  # tenacity's schedules need the state of a call; the relay keeps its own in the store


class Policy(Record):
    """How often and how long deliveries are tried. `attempts` counts the first; no `max_age_ms`: never too old."""

    attempts: int = DEFAULT_ATTEMPTS
    max_age_ms: int | None = None
    schedule: wait_base = DEFAULT_SCHEDULE
    on_unknown: OnUnknown = "hold"
    promise: str = ""  # what of the sink's settings, such as "idempotency: none", makes it hold
    blocked_ms: int = 60_000
    throttled_ms: int = 30_000  # unless they say how long
    lookup_after_ms: int = 15_000  # how long it may take until a look-up finds what they accepted


def decide(
    result: Result,
    *,
    attempts: int,
    age_ms: int,
    policy: Policy,
    jitter: float,
    looked_up: bool = False,
    at_fault: bool = False,
) -> Decision:
    """Return what happens next to a delivery whose attempt came to `result`.

    `attempts` were consumed before this one, `age_ms` is since its receipt arrived, `jitter` is in [0, 1). `looked_up`:
    the result says what became of an earlier attempt, and nothing was sent. `at_fault`: it was blocked before, and then
    another delivery arrived.
    """
    match result.outcome:
        case Outcome.DELIVERED:
            return Decision(kind=DecisionKind.SETTLE, state=DeliveryState.DELIVERED, reason=result.reason)
        case Outcome.SKIPPED:
            return Decision(kind=DecisionKind.SETTLE, state=DeliveryState.SKIPPED, reason=result.reason)
        case Outcome.REJECTED:
            return _dead(result.reason)
        case Outcome.THROTTLED:
            return _throttled(result, policy, jitter, looked_up)
        case Outcome.BLOCKED if at_fault:
            return _only_this_one_refused(result, attempts + 1, age_ms, policy, jitter, looked_up)
        case Outcome.BLOCKED:
            return _blocked(result, policy, looked_up)
        case Outcome.UNKNOWN if policy.on_unknown == "lookup" and not looked_up:
            return _look_up_later(result, policy)
        case Outcome.UNKNOWN if policy.on_unknown != "retry":
            return _held(result.reason, policy)
        case Outcome.UNKNOWN | Outcome.RETRY:
            return _retry_or_give_up(result, attempts if looked_up else attempts + 1, age_ms, policy, jitter)


def wait_for_sink(result: Result, *, keeps_mark: bool) -> Decision:
    """Return that a delivery waits until its sink is not down any more. It costs no attempt: the sink was tried."""
    asked_ms = result.after_ms or 0
    return Decision(
        kind=DecisionKind.WAIT,
        state=DeliveryState.PENDING,
        reason=result.reason,
        delay_ms=asked_ms,
        asked_ms=asked_ms,
        consumed=False,
        keeps_mark=keeps_mark,
    )


def _look_up_later(result: Result, policy: Policy) -> Decision:
    """Look up even where no attempts are left: an operator would take a dead delivery for one that never arrived."""
    return Decision(
        kind=DecisionKind.RETRY,
        state=DeliveryState.PENDING,
        reason=f"may have been applied, will be looked up: {result.reason}",
        delay_ms=policy.lookup_after_ms if result.after_ms is None else result.after_ms,
        keeps_mark=True,
    )


def _retry_or_give_up(result: Result, tried: int, age_ms: int, policy: Policy, jitter: float) -> Decision:
    if tried >= policy.attempts:
        return _dead(f"gave up after {tried} attempt{'s' * (tried > 1)}: {result.reason}")
    wait_ms = int(_wait_ms(policy.schedule, tried) * (1 - _JITTER + 2 * _JITTER * jitter))
    asked_ms = result.after_ms or 0
    delay_ms = max(wait_ms, asked_ms)
    if policy.max_age_ms is not None and age_ms + delay_ms > policy.max_age_ms:
        limit = format_exact_duration(policy.max_age_ms)
        return _dead(f"gave up, the next attempt would be for an event older than {limit}: {result.reason}")
    return Decision(
        kind=DecisionKind.RETRY,
        state=DeliveryState.PENDING,
        reason=result.reason,
        delay_ms=delay_ms,
        asked_ms=asked_ms,
    )


def _throttled(result: Result, policy: Policy, jitter: float, keeps_mark: bool) -> Decision:
    # Never earlier than they asked.
    asked_ms = policy.throttled_ms if result.after_ms is None else result.after_ms
    return Decision(
        kind=DecisionKind.WAIT,
        state=DeliveryState.PENDING,
        reason=result.reason,
        delay_ms=asked_ms + (0 if result.exact else int(min(asked_ms * _JITTER, _MAX_ADDED_MS) * jitter)),
        consumed=False,
        keeps_mark=keeps_mark,
    )


def _blocked(result: Result, policy: Policy, keeps_mark: bool) -> Decision:
    closed_ms = max(policy.blocked_ms, result.after_ms or 0)
    return Decision(
        kind=DecisionKind.WAIT,
        state=DeliveryState.PENDING,
        reason=result.reason,
        delay_ms=closed_ms,
        asked_ms=result.after_ms or 0,
        consumed=False,
        gate_ms=closed_ms,
        gate_scope=result.scope,
        gate_sure=result.after_ms is not None,  # who says how long speaks of the sink, not of an event
        keeps_mark=keeps_mark,
    )


def _only_this_one_refused(
    result: Result, tried: int, age_ms: int, policy: Policy, jitter: float, looked_up: bool
) -> Decision:
    """Try it again by the schedule, and keep what is known: a look-up that was refused leaves open what was sent."""
    refused = msgspec.structs.replace(result, reason=f"only this event is refused, others arrive: {result.reason}")
    decision = _retry_or_give_up(refused, tried, age_ms, policy, jitter)
    if looked_up and decision.kind is DecisionKind.DEAD:
        return _held(decision.reason, policy)
    return msgspec.structs.replace(decision, keeps_mark=looked_up)


def _held(reason: str, policy: Policy) -> Decision:
    because = f" ({policy.promise})" if policy.promise else ""
    reason = f"may have been applied{because}, look there before sending it again: {reason}"
    return Decision(kind=DecisionKind.HOLD, state=DeliveryState.HELD, reason=reason, keeps_mark=True)


def _dead(reason: str) -> Decision:
    return Decision(kind=DecisionKind.DEAD, state=DeliveryState.DEAD, reason=reason)


def _wait_ms(schedule: wait_base, tried: int) -> int:
    state = tenacity.RetryCallState(_NO_CALL, None, (), {})
    state.attempt_number = tried
    return round(schedule(state) * 1000)


def fixed_schedule(waits_ms: Sequence[int]) -> wait_base:
    """Return the schedule of a list: each wait in turn, then the last one every time."""
    return tenacity.wait_chain(*(tenacity.wait_fixed(wait_ms / 1000) for wait_ms in waits_ms))
