"""Whatever is printed, a terminal obeys none of it, and a line that is quoted makes no line of its own."""

from collections.abc import Callable

import pytest

from relay.cli.dev import _print_log_line
from relay.cli.display.output import print_json, print_lines, print_message, print_table

FORGED = "\x1b[2J\x9b1m\x07\u202e\u2066\x85\u2028\r"
PRINTS: dict[str, Callable[[str], None]] = {
    "a table": lambda text: print_table(("a", "b"), [(text, text)], reveal=True),
    "lines": lambda text: print_lines([text], reveal=True),
    "json": lambda text: print_json({text: [text]}, reveal=True),
    "a message": print_message,
    "an error": lambda text: print_message(text, error=True),
    "a child's line": lambda text: _print_log_line("worker", text),
}


@pytest.mark.parametrize("what", PRINTS)
def test_no_text_moves_a_cursor(what: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    PRINTS[what](f"Сделка {FORGED}")
    printed = "".join(part.decode() for part in capfdbinary.readouterr())
    assert all(character.isprintable() or character == "\n" for character in printed)
    assert "Сделка" in printed


@pytest.mark.parametrize("what", ["a table", "lines", "json"])
def test_no_quoted_text_forges_a_line(what: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    PRINTS[what]("seen\ndelivered")
    assert b"delivered" not in [line.strip() for line in capfdbinary.readouterr().out.split(b"\n")]
