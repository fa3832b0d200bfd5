"""Outcome and policy in, decision out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.durations import format_exact_duration, parse_duration, parse_rate
from relay.model import DecisionKind, DeliveryState, Outcome, Result
from relay.retrying import DEFAULT_ATTEMPTS, Policy, decide, fixed_schedule

MINUTE, HOUR, DAY = 60_000, 3_600_000, 24 * 3_600_000
NO_JITTER = 0.5  # the middle of the spread: the schedule as written

CONTRACT = Policy(attempts=5, schedule=fixed_schedule([5 * MINUTE, 15 * MINUTE, 15 * MINUTE, HOUR]))


def outcome(kind: Outcome, **more):
    return Result(outcome=kind, reason="they said so", **more)


@pytest.mark.parametrize(
    ("result", "kind", "state", "consumed"),
    [
        (outcome(Outcome.DELIVERED), DecisionKind.SETTLE, DeliveryState.DELIVERED, True),
        (outcome(Outcome.SKIPPED), DecisionKind.SETTLE, DeliveryState.SKIPPED, True),
        (outcome(Outcome.REJECTED), DecisionKind.DEAD, DeliveryState.DEAD, True),
        (outcome(Outcome.RETRY), DecisionKind.RETRY, DeliveryState.PENDING, True),
        (outcome(Outcome.THROTTLED), DecisionKind.WAIT, DeliveryState.PENDING, False),
        (outcome(Outcome.BLOCKED), DecisionKind.WAIT, DeliveryState.PENDING, False),
        (outcome(Outcome.UNKNOWN), DecisionKind.HOLD, DeliveryState.HELD, True),
    ],
    ids=lambda value: value.outcome if isinstance(value, Result) else None,
)
def test_each_outcome_has_its_decision(result, kind, state, consumed):
    decision = decide(result, attempts=0, age_ms=0, policy=Policy(), jitter=NO_JITTER)
    assert (decision.kind, decision.state, decision.consumed) == (kind, state, consumed)
    assert "they said so" in decision.reason


def test_an_unknown_outcome_is_retried_where_a_repeat_is_harmless():
    policy = Policy(on_unknown="retry")
    unknown, retry = (
        decide(outcome(kind), attempts=2, age_ms=0, policy=policy, jitter=0.1)
        for kind in (Outcome.UNKNOWN, Outcome.RETRY)
    )
    assert unknown == retry


def test_an_unknown_outcome_waits_to_be_looked_up_with_its_mark_whatever_attempts_are_left():
    policy = Policy(attempts=1, on_unknown="lookup", lookup_after_ms=15_000)
    decision = decide(outcome(Outcome.UNKNOWN), attempts=7, age_ms=30 * DAY, policy=policy, jitter=NO_JITTER)
    assert (decision.kind, decision.state, decision.keeps_mark) == (DecisionKind.RETRY, DeliveryState.PENDING, True)
    assert (decision.delay_ms, decision.consumed) == (15_000, True)
    asked = decide(outcome(Outcome.UNKNOWN, after_ms=7), attempts=0, age_ms=0, policy=policy, jitter=NO_JITTER)
    assert asked.delay_ms == 7


@pytest.mark.parametrize(
    ("kind", "state", "keeps_mark"),
    [
        (Outcome.DELIVERED, DeliveryState.DELIVERED, False),
        (Outcome.THROTTLED, DeliveryState.PENDING, True),
        (Outcome.BLOCKED, DeliveryState.PENDING, True),
        (Outcome.UNKNOWN, DeliveryState.HELD, True),
        (Outcome.REJECTED, DeliveryState.DEAD, False),
    ],
)
def test_while_a_look_up_has_no_answer_the_mark_stays(kind, state, keeps_mark):
    policy = Policy(on_unknown="lookup")
    decision = decide(outcome(kind), attempts=0, age_ms=0, policy=policy, jitter=NO_JITTER, looked_up=True)
    assert (decision.state, decision.keeps_mark) == (state, keeps_mark)


def test_what_is_held_says_because_of_which_promise():
    policy = Policy(promise="idempotency: none")
    decision = decide(outcome(Outcome.UNKNOWN), attempts=0, age_ms=0, policy=policy, jitter=NO_JITTER)
    expected = "may have been applied (idempotency: none), look there before sending it again: they said so"
    assert (decision.state, decision.reason) == (DeliveryState.HELD, expected)


def test_what_a_look_up_did_not_find_is_given_up_when_no_attempt_is_left():
    policy = Policy(attempts=2, on_unknown="lookup")
    decision = decide(outcome(Outcome.RETRY), attempts=2, age_ms=0, policy=policy, jitter=NO_JITTER, looked_up=True)
    assert (decision.kind, decision.reason) == (DecisionKind.DEAD, "gave up after 2 attempts: they said so")


def test_a_list_of_four_waits_means_five_attempts():
    kinds, delays = [], []
    for consumed in range(5):
        decision = decide(outcome(Outcome.RETRY), attempts=consumed, age_ms=0, policy=CONTRACT, jitter=NO_JITTER)
        kinds.append(decision.kind)
        delays.append(decision.delay_ms)
    assert kinds == [DecisionKind.RETRY] * 4 + [DecisionKind.DEAD]
    assert delays == [5 * MINUTE, 15 * MINUTE, 15 * MINUTE, HOUR, 0]
    assert decision.reason == "gave up after 5 attempts: they said so"


def test_more_attempts_than_waits_repeat_the_last_wait():
    policy = Policy(attempts=9, schedule=fixed_schedule([MINUTE, HOUR]))
    assert decide(outcome(Outcome.RETRY), attempts=7, age_ms=0, policy=policy, jitter=NO_JITTER).delay_ms == HOUR


def test_the_default_schedule_starts_in_seconds_and_ends_every_hour():
    delays = [
        decide(outcome(Outcome.RETRY), attempts=n, age_ms=0, policy=Policy(), jitter=NO_JITTER).delay_ms
        for n in range(9)
    ]
    assert delays == [5_000, 15_000, 45_000, 135_000, 405_000, 1_215_000, HOUR, HOUR, HOUR]


def test_by_default_a_sink_may_be_down_for_a_weekend():
    total = sum(
        decide(outcome(Outcome.RETRY), attempts=n, age_ms=0, policy=Policy(), jitter=0.0).delay_ms
        for n in range(DEFAULT_ATTEMPTS)
    )
    assert 2 * DAY < total < 4 * DAY


def test_it_gives_up_when_the_next_attempt_would_be_too_old():
    policy = Policy(max_age_ms=HOUR, schedule=fixed_schedule([5 * MINUTE]))
    young = decide(outcome(Outcome.RETRY), attempts=0, age_ms=54 * MINUTE, policy=policy, jitter=NO_JITTER)
    old = decide(outcome(Outcome.RETRY), attempts=0, age_ms=56 * MINUTE, policy=policy, jitter=NO_JITTER)
    assert young.kind is DecisionKind.RETRY
    assert old.kind is DecisionKind.DEAD
    assert "older than 1h" in old.reason


@pytest.mark.parametrize("kind", [Outcome.THROTTLED, Outcome.BLOCKED])
def test_waiting_for_a_sink_uses_up_neither_attempts_nor_age(kind):
    policy = Policy(attempts=1, max_age_ms=MINUTE)
    decision = decide(outcome(kind), attempts=99, age_ms=30 * DAY, policy=policy, jitter=NO_JITTER)
    assert (decision.kind, decision.consumed) == (DecisionKind.WAIT, False)
    assert decision.delay_ms > 0


@pytest.mark.parametrize(("after_ms", "gate_ms"), [(None, MINUTE), (5_000, MINUTE), (HOUR, HOUR)])
def test_a_block_closes_the_gate_of_its_scope(after_ms, gate_ms):
    result = outcome(Outcome.BLOCKED, after_ms=after_ms, scope="route")
    decision = decide(result, attempts=0, age_ms=0, policy=Policy(blocked_ms=MINUTE), jitter=0.9)
    assert (decision.gate_ms, decision.gate_scope, decision.delay_ms) == (gate_ms, "route", gate_ms)


@pytest.mark.parametrize(("after_ms", "sure"), [(None, False), (0, True), (HOUR, True)])
def test_who_says_for_how_long_speaks_of_the_sink_and_not_of_an_event(after_ms, sure):
    decision = decide(
        outcome(Outcome.BLOCKED, after_ms=after_ms), attempts=0, age_ms=0, policy=Policy(), jitter=NO_JITTER
    )
    assert decision.gate_sure is sure


class TestAtFault:
    """A delivery that is blocked while others arrive is tried like any that fails."""

    REASON = "only this event is refused, others arrive: they said so"

    def decide(self, attempts, policy=CONTRACT, **more):
        return decide(
            outcome(Outcome.BLOCKED),
            attempts=attempts,
            age_ms=0,
            policy=policy,
            jitter=NO_JITTER,
            at_fault=True,
            **more,
        )

    def test_it_consumes_attempts_and_closes_no_gate(self):
        decision = self.decide(1)
        assert (decision.kind, decision.consumed, decision.gate_ms) == (DecisionKind.RETRY, True, 0)
        assert (decision.delay_ms, decision.reason) == (15 * MINUTE, self.REASON)

    def test_it_ends_dead_and_says_why(self):
        decision = self.decide(4)
        assert (decision.state, decision.reason) == (DeliveryState.DEAD, f"gave up after 5 attempts: {self.REASON}")

    def test_where_the_look_up_is_refused_what_was_sent_stays_known(self):
        assert self.decide(1, looked_up=True).keeps_mark
        last = self.decide(4, looked_up=True)
        assert (last.state, last.keeps_mark) == (DeliveryState.HELD, True)
        assert last.reason.startswith("may have been applied, look there before sending it again: gave up after 5")

    def test_any_other_outcome_means_what_it_means(self):
        retry = outcome(Outcome.RETRY)
        decisions = [
            decide(retry, attempts=1, age_ms=0, policy=CONTRACT, jitter=NO_JITTER, at_fault=fault)
            for fault in (True, False)
        ]
        assert decisions[0] == decisions[1]


@pytest.mark.parametrize(("exact", "delay_ms"), [(False, DAY + MINUTE), (True, DAY)])
def test_who_may_come_tomorrow_does_not_come_hours_later(exact, delay_ms):
    result = outcome(Outcome.THROTTLED, after_ms=DAY, exact=exact)
    decision = decide(result, attempts=0, age_ms=0, policy=Policy(), jitter=1.0)
    assert decision.delay_ms == delay_ms


def test_a_throttle_without_a_time_waits_the_policys_time_and_closes_no_gate():
    decision = decide(outcome(Outcome.THROTTLED), attempts=0, age_ms=0, policy=Policy(throttled_ms=7_000), jitter=0.0)
    assert (decision.delay_ms, decision.gate_ms) == (7_000, 0)


results = st.builds(
    Result,
    outcome=st.sampled_from(Outcome),
    reason=st.text(max_size=20),
    after_ms=st.none() | st.integers(0, DAY),
    scope=st.sampled_from(["sink", "route"]),
)
waits = st.lists(st.integers(0, DAY), min_size=1, max_size=6)
policies = st.builds(
    Policy,
    attempts=st.integers(1, 100),
    max_age_ms=st.none() | st.integers(0, 10 * DAY),
    schedule=waits.map(fixed_schedule) | st.just(Policy().schedule),
    on_unknown=st.sampled_from(["lookup", "retry", "hold"]),
    blocked_ms=st.integers(1, DAY),
)
jitters = st.floats(0, 1, exclude_max=True)
STATES = {
    DecisionKind.SETTLE: {DeliveryState.DELIVERED, DeliveryState.SKIPPED},
    DecisionKind.RETRY: {DeliveryState.PENDING},
    DecisionKind.WAIT: {DeliveryState.PENDING},
    DecisionKind.HOLD: {DeliveryState.HELD},
    DecisionKind.DEAD: {DeliveryState.DEAD},
}


@given(results, st.integers(0, 200), st.integers(0, 20 * DAY), policies, jitters)
def test_every_decision_is_consistent(result, attempts, age_ms, policy, jitter):
    decision = decide(result, attempts=attempts, age_ms=age_ms, policy=policy, jitter=jitter)
    assert decision.state in STATES[decision.kind]
    assert decision.delay_ms >= 0
    assert decision.delay_ms == 0 or decision.state is DeliveryState.PENDING
    assert decision.consumed == (decision.kind is not DecisionKind.WAIT)
    assert (decision.gate_ms > 0) == (result.outcome is Outcome.BLOCKED)
    assert not decision.keeps_mark or result.outcome is Outcome.UNKNOWN
    if decision.kind in (DecisionKind.RETRY, DecisionKind.WAIT):
        assert decision.delay_ms >= (result.after_ms or 0)
    if decision.kind is DecisionKind.RETRY and not decision.keeps_mark:
        assert attempts + 1 < policy.attempts
        assert policy.max_age_ms is None or age_ms + decision.delay_ms <= policy.max_age_ms


@given(waits, st.integers(1, 30), jitters)
def test_a_failing_delivery_dies_after_exactly_its_attempts_and_within_its_waits(waits_ms, attempts, jitter):
    policy = Policy(attempts=attempts, schedule=fixed_schedule(waits_ms))
    tried, age_ms, decision = 0, 0, None
    while decision is None or decision.kind is DecisionKind.RETRY:
        decision = decide(outcome(Outcome.RETRY), attempts=tried, age_ms=age_ms, policy=policy, jitter=jitter)
        tried, age_ms = tried + 1, age_ms + decision.delay_ms
    written = sum(waits_ms[min(n, len(waits_ms) - 1)] for n in range(attempts - 1))
    assert (decision.kind, tried) == (DecisionKind.DEAD, attempts)
    assert 0.8 * written - attempts <= age_ms <= 1.2 * written + attempts


@pytest.mark.parametrize(
    ("text", "ms"),
    [("250ms", 250), ("5s", 5_000), ("15m", 15 * MINUTE), ("1h", HOUR), ("2d", 2 * DAY), ("0s", 0), (" 5 s ", 5_000)],
)
def test_a_duration_is_a_number_and_a_unit(text, ms):
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (5, "write 5s"),
        ("90", "write 90s"),
        ("5min", "did you mean 5m?"),
        ("5sec", "did you mean 5s?"),
        ("3D", "did you mean 3d?"),
        ("3millis", "did you mean 3ms?"),
        ("3 weeks", "use ms, s, m, h or d"),
        ("1.5h", "such as 15m"),
        ("-5s", "such as 15m"),
        ("٥s", "such as 15m"),
        (True, "such as 15m"),
        (None, "such as 15m"),
    ],
)
def test_a_wrong_duration_is_answered_with_what_would_be_right(wrong, right):
    with pytest.raises(ValueError, match=right.replace("?", r"\?")):
        parse_duration(wrong)


@given(st.integers(0, 400 * DAY))
def test_a_duration_is_shown_as_it_is_read(ms):
    assert parse_duration(format_exact_duration(ms)) == ms


@pytest.mark.parametrize(
    ("text", "rate"),
    [("4/s", (4, 1_000)), ("15/3s", (15, 3_000)), ("300/1m", (300, MINUTE)), ("7 / m", (7, MINUTE))],
)
def test_a_rate_is_how_many_per_how_long(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (4, "such as 4/s"),
        ("4", "such as 4/s"),
        ("4/3", "such as 4/s"),
        ("0/s", "pause the sink"),
        ("4/0s", "pause the sink"),
        ("300/min", "did you mean 1m"),
    ],
)
def test_a_wrong_rate_is_answered_with_what_would_be_right(wrong, right):
    with pytest.raises(ValueError, match=right):
        parse_rate(wrong)
