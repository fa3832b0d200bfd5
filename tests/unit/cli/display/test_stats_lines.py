"""`relay stats` says of every gate whether it is open, and else until when and why it is closed."""

import pytest

from relay.cli.display.stats import format_gate
from relay.store.gate import Gate

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
