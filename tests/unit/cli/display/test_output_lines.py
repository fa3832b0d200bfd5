"""What is piped to a program has a line for each row, however long it is."""

import pytest

from relay.cli.display.output import print_table


def test_a_row_with_a_long_reason_is_one_line_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("id", "reason"), [("d" * 36, "no answer " * 80), ("e", "")])
    assert len(capsys.readouterr().out.splitlines()) == 3
