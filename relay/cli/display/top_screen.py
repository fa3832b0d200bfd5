"""What `relay top` does with keys: which row is selected, what is open, what is searched. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

KEYS: Final = (
    ("j k, arrows", "next and previous row"),
    ("enter", "open the row; q or esc goes back"),
    ("x", "say that you have seen the problem"),
    ("/", "search events: lead:25399013, phone:…, sink:sms, a text; empty: all"),
    ("g p, g e", "go to the problems, to the events"),
    ("space", "pause, or go on"),
    ("?", "these keys"),
    ("q", "end"),
)
ENTER, ESCAPE, BACKSPACE, UP, DOWN = "\r", "\x1b", "\x7f", "\x1b[A", "\x1b[B"
INTERRUPT: Final = "\x03"
Act = Literal["quit", "open", "seen", "search"]


@dataclass(frozen=True)
class Screen:
    """What is shown. `rows` are the ids of the rows, the first `problems` of them those of problems."""

    rows: Sequence[str] = ()
    problems: int = 0
    selected: int = 0
    view: Literal["list", "detail", "keys"] = "list"
    scroll: int = 0
    typing: str | None = None  # a search that is being typed
    search: str = ""
    paused: bool = False
    prefix: str = ""
    trouble: str = ""  # why nothing new can be shown

    @property
    def row(self) -> str:
        """The id of the selected row; empty where there is none."""
        return self.rows[self.selected] if self.selected < len(self.rows) else ""

    @property
    def on_problem(self) -> bool:
        """Whether the selected row is a problem."""
        return self.selected < self.problems

    def with_rows(self, problems: Sequence[str], events: Sequence[str]) -> "Screen":
        """Return it with other rows: what was selected stays so, wherever it is now."""
        rows, row = [*problems, *events], self.row
        selected = rows.index(row) if row in rows else min(self.selected, max(len(rows) - 1, 0))
        return replace(self, rows=rows, problems=len(problems), selected=selected)


def press(screen: Screen, key: str) -> tuple[Screen, Act | None]:
    """Return what follows a key, and what is to be done for it."""
    if screen.typing is not None:
        return _type(screen, screen.typing, key)
    if screen.prefix == "g":
        first = {"p": 0, "e": screen.problems, "g": 0}.get(key, screen.selected)
        return replace(screen, prefix="", view="list", selected=min(first, max(len(screen.rows) - 1, 0))), None
    if screen.view != "list":
        return _press_in_view(screen, key)
    if key in ("j", "k", UP, DOWN):
        moved = screen.selected + (1 if key in ("j", DOWN) else -1)
        return replace(screen, selected=max(0, min(moved, len(screen.rows) - 1))), None
    return _press_in_list(screen, key)


def _press_in_list(screen: Screen, key: str) -> tuple[Screen, Act | None]:
    changed = {
        "/": replace(screen, typing=""),
        "g": replace(screen, prefix="g"),
        " ": replace(screen, paused=not screen.paused),
        "?": replace(screen, view="keys"),
    }
    if key in ("q", INTERRUPT):
        return screen, "quit"
    if key in (ENTER, "\n") and screen.row:
        return replace(screen, view="detail", scroll=0), "open"
    if key == "x" and screen.on_problem and screen.row:
        return screen, "seen"
    return changed.get(key, screen), None


def _press_in_view(screen: Screen, key: str) -> tuple[Screen, Act | None]:
    if key == INTERRUPT:
        return screen, "quit"
    if key in ("q", ESCAPE, ENTER, "?"):
        return replace(screen, view="list"), None
    if key in ("j", "k", UP, DOWN):
        return replace(screen, scroll=max(0, screen.scroll + (1 if key in ("j", DOWN) else -1))), None
    return screen, None


def _type(screen: Screen, typed: str, key: str) -> tuple[Screen, Act | None]:
    if key in (ENTER, "\n"):
        return replace(screen, typing=None, search=typed), "search"
    if key in (ESCAPE, INTERRUPT):
        return replace(screen, typing=None), None
    if key in (BACKSPACE, "\b"):
        return replace(screen, typing=typed[:-1]), None
    return replace(screen, typing=typed + key if key.isprintable() else typed), None
