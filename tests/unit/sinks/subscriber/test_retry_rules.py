"""amoCRM's documented retries: after 5 and 15 min for 0–99 and from 300, then 15 min and 1 h for 499 and 5xx."""

import pytest

from relay.model import DecisionKind, DeliveryState
from relay.sinks.subscriber.retry_rules import ACCEPTED, RETRY_RULES, amocrm_decision

MINUTE = 60_000
TWICE = [5 * MINUTE, 15 * MINUTE]
FOUR_TIMES = [5 * MINUTE, 15 * MINUTE, 15 * MINUTE, 60 * MINUTE]

CLASSES = [
    (range(100), TWICE),  # no answer is code 0
    (range(100, 300), []),
    (range(300, 499), TWICE),
    (range(499, 500), FOUR_TIMES),
    (range(500, 600), FOUR_TIMES),
    (range(600, 1000), TWICE),
]


def test_every_code_is_of_one_class():
    assert [code for codes, _ in CLASSES for code in codes] == list(range(1000))


@pytest.mark.parametrize(("codes", "waits"), CLASSES, ids=str)
def test_an_application_that_always_answers_one_code_is_called_at_these_times(codes, waits):
    for code in codes:
        clock, called, attempt = 0, [], 0
        while True:
            called.append(clock)
            attempt += 1
            decision = amocrm_decision(code, attempt, "said so")
            if decision.kind is not DecisionKind.RETRY:
                break
            assert (decision.state, decision.consumed, decision.gate_ms) == (DeliveryState.PENDING, True, 0)
            clock += decision.delay_ms
        assert called == [sum(waits[:n]) for n in range(len(waits) + 1)]
        end = DeliveryState.DELIVERED if code in ACCEPTED else DeliveryState.DEAD
        assert decision.state is end


@pytest.mark.parametrize(
    ("codes", "called_after", "end"),
    [
        ([503, 200], [0, 5], DeliveryState.DELIVERED),
        ([0, 0, 204], [0, 5, 20], DeliveryState.DELIVERED),
        ([503, 503, 404], [0, 5, 20], DeliveryState.DEAD),
        ([404, 404, 503, 404], [0, 5, 20, 35], DeliveryState.DEAD),
        ([404, 404, 503, 503, 100], [0, 5, 20, 35, 95], DeliveryState.DELIVERED),
        ([500, 499, 599, 500, 500], [0, 5, 20, 35, 95], DeliveryState.DEAD),
        ([302, 410, 0], [0, 5, 20], DeliveryState.DEAD),
    ],
)
def test_the_last_code_decides_how_it_goes_on(codes, called_after, end):
    clock, called = 0, []
    for attempt, code in enumerate(codes, 1):
        called.append(clock // MINUTE)
        decision = amocrm_decision(code, attempt, "said so")
        clock += decision.delay_ms
    assert called == called_after
    assert decision.state is end
    assert decision.kind is not DecisionKind.RETRY


def test_the_table_has_four_waits_and_so_five_attempts():
    assert [(again.after, again.wait_ms // MINUTE) for again in RETRY_RULES] == [(1, 5), (2, 15), (3, 15), (4, 60)]
    assert amocrm_decision(500, 5, "500").kind is DecisionKind.DEAD
    assert amocrm_decision(500, 6, "500").kind is DecisionKind.DEAD


@pytest.mark.parametrize(
    ("code", "attempt", "reason"),
    [
        (200, 1, "said so"),
        (404, 1, "said so; again in 5m"),
        (404, 3, "gave up after 3 attempts, as amoCRM would: said so"),
        (503, 4, "said so; again in 1h"),
    ],
)
def test_the_reason_is_told_to_people(code, attempt, reason):
    assert amocrm_decision(code, attempt, "said so").reason == reason
