"""docs/operations.md names every event that web and workers log, so that whoever finds one in a log can look it up."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "operations.md"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def logged(tree: ast.AST) -> Iterator[str]:
    """Yield the events of a module. A `SingleFlight` logs two, which begin with its name."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[ast.Constant(value=str(event)), *_]
            ) if level in LEVELS:
                yield event
            case ast.Call(func=ast.Name(id="log_each"), args=[ast.Constant(value=str(event)), *_]):
                yield event
            case ast.Call(func=ast.Name(id="SingleFlight"), args=[_, ast.Constant(value=str(name)), *_]):
                yield from (f"{name}.paused", f"{name}.failed")


def documented() -> set[str]:
    """Return the events of the table: `subscription.made` `.removed` are two of the same subject."""
    _, _, rest = DOCS.read_text(encoding="utf-8").partition("| event | means |")
    found: set[str] = set()
    for row in re.findall(r"^\| (`.*?) \|", rest.partition("\n\n")[0], re.MULTILINE):
        subject = ""
        for name in re.findall("`(.*?)`", row):
            subject = name.partition(".")[0] or subject
            found.add(name if not name.startswith(".") else subject + name)
    return found


def test_the_docs_name_every_event_and_no_other() -> None:
    files = [path for folder in ("relay", "workers") for path in (ROOT / folder).rglob("*.py")]
    events = {event for path in files for event in logged(ast.parse(path.read_text(encoding="utf-8")))}
    assert documented() == events
