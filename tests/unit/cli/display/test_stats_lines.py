"""`relay stats` says of every gate whether it is open, and else until when and why it is closed."""

import pytest

from relay.cli.display.stats import format_failures, format_gate, format_stats
from relay.operations.stats import Stats
from relay.store.gate import Gate
from relay.store.outcomes import Outcomes
from relay.store.queues import AccountState
from relay.timefmt import format_time

NOW = 1_795_443_326_526


@pytest.mark.parametrize(
    ("gate", "text"),
    [
        (Gate(), "open"),
        (Gate(paused=True), "paused"),
        (Gate(until=NOW - 1, reason="401"), "open"),
        (Gate(routes={"invoices": NOW - 1}), "open"),
    ],
)
def test_an_open_or_paused_gate_is_one_word(gate: Gate, text: str) -> None:
    assert format_gate(gate, NOW) == text


def test_a_closed_gate_says_why_and_which_routes() -> None:
    text = format_gate(Gate(until=NOW + 1000, reason="401 Unauthorized", routes={"invoices": NOW + 1000}), NOW)
    assert "401 Unauthorized" in text
    assert "invoices closed until" in text


def test_a_gate_s_reason_names_no_person_and_no_secret() -> None:
    reason = "308: this one points to https://key7@books.example.com/people/%2B375291234567/vera.k%40example.com"
    text = format_gate(Gate(until=NOW + 1000, reason=reason), NOW)
    for secret in ("key7", "375291234567", "1234567", "vera.k"):
        assert secret not in text


@pytest.mark.parametrize(
    ("outcomes", "since", "text"),
    [
        (Outcomes(), None, ""),
        (Outcomes(attempts=3), None, "0% of 3"),
        (Outcomes(attempts=6000, failed=6000), NOW, f"100% of 6000, all since {format_time(NOW)}"),
        (Outcomes(row=3, row_since=NOW), NOW, f"all since {format_time(NOW)}"),
    ],
)
def test_failures_are_a_share_and_since_when_all_fail(outcomes: Outcomes, since: int | None, text: str) -> None:
    assert format_failures(outcomes, since) == text


def test_an_account_with_look_ups_has_a_line_with_its_gate() -> None:
    account = AccountState(source="acme", waiting=300, outcomes=Outcomes(attempts=6, failed=6), gate=Gate(paused=True))
    stats = Stats(at=NOW, workers=2, inbox=(3, 1), jobs=(1, 0), accounts=[account], counts={}, rates={}, sinks=[])
    first, second, *_ = format_stats(stats)
    assert first == "workers: 2; inbox: 3 waiting, 1 being routed; jobs: 1 waiting"
    assert second == (
        "look-ups in the account of acme: 300 waiting, 0 in flight, failed in the last hour: 100% of 6; gate paused"
    )
