"""`relay stats` says of every gate whether it is open, and else until when and why it is closed."""

import pytest

from relay.cli.display.stats import format_gate

NOW = 1_795_443_326_526


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "open"),
        ({"paused": "1"}, "paused"),
        ({"until": str(NOW - 1), "reason": "401"}, "open"),
        ({"route:invoices": str(NOW - 1)}, "open"),
    ],
)
def test_an_open_or_paused_gate_is_one_word(fields: dict[str, str], text: str) -> None:
    assert format_gate(fields, NOW) == text


def test_a_closed_gate_says_why_and_which_routes() -> None:
    text = format_gate({"until": str(NOW + 1000), "reason": "401 Unauthorized", "route:invoices": str(NOW + 1000)}, NOW)
    assert "401 Unauthorized" in text
    assert "invoices closed until" in text
