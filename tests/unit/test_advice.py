"""No text advises a command that does not exist: messages of the code, pages, comments of configuration files."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from relay.cli import COMMANDS, app
from relay.cli.loading import load_command

ROOT = Path(__file__).parents[2]
CODE = sorted([*(ROOT / "relay").rglob("*.py"), *(ROOT / "workers").rglob("*.py")])
FOLDERS = [*(ROOT / "docs").glob("*.md"), *(ROOT / "config").rglob("*.yaml"), *(ROOT / "deploy").rglob("*")]
FILES = ("README.md", "CHANGELOG.md", "app.json", "render.yaml", "Procfile", "Makefile", "relay/demo/relay.yaml")
TEXTS = sorted(path for path in [*FOLDERS, *(ROOT / name for name in FILES)] if path.is_file())
# What follows the word in a sentence about the relay itself.
PROSE = frozenset([
    *("accepts", "answered", "answers", "as", "asks", "can", "counts", "does", "gets", "has", "is", "itself", "keeps"),
    *("must", "refuses", "running", "runs", "stores", "that", "to", "waits", "will", "with"),
])  # fmt: skip
MENTION = re.compile(r"(?<![\w./@-])relay ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)([^`;:\n)]*)")
IN_CODE = re.compile(r"`(?:\$ )?relay ([a-z][a-z-]*(?: [a-z][a-z-]*)?)([^`\n]*)`")
NOT_THERE = re.compile(r"\b(replay|requeue|purge|cancel)\b (?:it|its|this|the|them)\b", re.IGNORECASE)


def messages(path: Path) -> Iterator[str]:
    """Yield the texts in code that are no docstrings; what is put into them is X."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else "X" for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (docstrings | parts):
            yield node.value


def unknown(words: str, rest: str) -> str | None:
    """Return what of a mentioned command does not exist; None where all of it does."""
    command, names = get_command(app), words.split()
    while hasattr(command, "commands") and names:
        if (name := names.pop(0)) not in command.commands:
            return f"relay {words}: there is no {name}"
        command = load_command(name) if command.commands.keys() == COMMANDS.keys() else command.commands[name]
    options = {option for one in command.params for option in [*one.opts, *one.secondary_opts]} | {"--help"}
    missing = [option for option in re.findall(r"(?<!\S)--[a-z-]+", rest) if option not in options]
    return f"relay {words}: there is no {missing[0]}" if missing else None


def absent_verbs(text: str) -> list[str]:
    """Return what a text advises to do by a verb that the relay has no act for."""
    return [found[0] for found in NOT_THERE.finditer(text)]


def wrong_advice(text: str, mention: re.Pattern[str]) -> list[str]:
    found = [unknown(words, rest) for words, rest in mention.findall(text) if words.split()[0] not in PROSE]
    return [wrong for wrong in found if wrong]


def test_messages_advise_commands_that_there_are() -> None:
    wrong = {
        path: [line for text in messages(path) for line in wrong_advice(text, MENTION) + absent_verbs(text)]
        for path in CODE
    }
    assert {path: lines for path, lines in wrong.items() if lines} == {}


def test_pages_advise_commands_that_there_are() -> None:
    read = {path: path.read_text() for path in TEXTS}
    wrong = {path: wrong_advice(text, IN_CODE) + absent_verbs(text) for path, text in read.items()}
    assert {path: lines for path, lines in wrong.items() if lines} == {}


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("run relay deliveries list --state dead", True),
        ("run relay deliveries replay", False),
        ("run relay replay", True),
        ("run relay repeat", False),
        ("relay deliveries list --colour", False),
        ("the relay answered 503", True),
        ("relay subscriptions enable 7", True),
    ],
)
def test_advice_is_told_apart(text: str, right: bool) -> None:
    assert (wrong_advice(text, MENTION) == []) is right
