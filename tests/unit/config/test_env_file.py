"""`.env`: lines of NAME=value."""

from pathlib import Path

import pytest

from relay.config.env_file import parse_env_file, read_env_file
from relay.errors import ConfigError


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("export A=1", "1"),
        ("  A = 1  ", "1"),
        ("A=", ""),
        ("A= # nothing", ""),
        ("A=a b # a comment", "a b"),
        ("A=a#b", "a#b"),
        ("A='a # b' # a comment", "a # b"),
        ('A="a\'b"', "a'b"),
        ("A=x=y==", "x=y=="),
        ("A=${B}", "${B}"),
    ],
)
def test_a_line_is_a_variable(line: str, value: str) -> None:
    assert parse_env_file(f"# a comment\n\n{line}\n", ".env") == {"A": value}


@pytest.mark.parametrize("line", ["a secret", "=1", "1A=2", "A-B=1"])
def test_another_line_is_a_mistake_whose_message_shows_no_secret(line: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_env_file(f"A=1\n{line}\n", ".env")
    assert str(error.value) == ".env:2: not a variable: write NAME=value, or a # before it"


def test_a_file_is_read_and_where_there_is_none_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    assert read_env_file(tmp_path) == {"A": "1"}
    assert read_env_file(tmp_path / "none") == {}


def test_bytes_that_are_no_text_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_env_file(tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("A=1\nB=я\n".encode("utf-8-sig"))
    assert read_env_file(tmp_path) == {"A": "1", "B": "я"}


@pytest.mark.parametrize(("encoding", "named"), [("utf-16", "UTF-16"), ("cp1251", "Windows-1251")])
def test_another_encoding_is_named(tmp_path: Path, encoding: str, named: str) -> None:
    (tmp_path / ".env").write_bytes("A=1\n# токен\n".encode(encoding))
    with pytest.raises(ConfigError, match=f"the file is saved as {named}: save it as UTF-8"):
        read_env_file(tmp_path)
