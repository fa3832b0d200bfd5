"""Draw what `relay top` shows: on a screen with rich, or as lines. Pure."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from relay.cli.display.top_screen import KEYS, Screen
from relay.masking import mask_people, mask_secrets
from relay.operations.problems import Problem, ProblemState, say_how_many
from relay.operations.search import FoundEvent
from relay.operations.snapshot import Snapshot
from relay.operations.strip import StripNumber
from relay.printable import escape_line
from relay.timefmt import format_clock, format_time

if TYPE_CHECKING:  # lines need no rich
    from rich.text import Text

_TONES: Final = {"held": "yellow", "dead": "red", "closed gates": "red", "silent sources": "yellow", "problems": "red"}
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d):\d\d(?:\.\d+)?(?:[+-]\d\d:\d\d)?")
_STATES: Final = {"routed": "green", "unrouted": "", "malformed": "red", "quarantined": "red", "refused": "yellow"}


def format_snapshot(snapshot: Snapshot) -> Iterator[str]:
    """Format it as lines, for a pipe."""
    yield f"{format_time(snapshot.at)}  " + "  ".join(f"{one.name} {one.count}" for one in snapshot.numbers)
    yield say_how_many(snapshot.problems)
    yield from (f"{one.grade:<8}{one.about}: {one.found}" for one in shown_problems(snapshot))
    yield from (f"{format_time(one.receipt.received_at)}  {_event(one)}" for one in snapshot.events)


def shown_problems(snapshot: Snapshot) -> list[Problem]:
    """Return the problems that are not muted."""
    return [one for one in snapshot.problems if one.state is not ProblemState.MUTED]


def draw_screen(snapshot: Snapshot, screen: Screen, width: int, height: int, detail: Sequence[str] = ()) -> "Text":
    """Draw as many lines as there is room for, each cut to the width."""
    lines = [_strip(snapshot, width)]
    if screen.view == "keys":
        lines += [_plain(""), *(_plain(f"{keys:<14}{what}") for keys, what in KEYS)]
    elif screen.view == "detail":
        lines += [_plain(part) for one in detail for part in _wrap(one, width)][screen.scroll :]
    else:
        lines += _rows(snapshot, screen, height - 3)
    lines = lines[: height - 1]
    lines += [_plain("")] * (height - 1 - len(lines))
    return _join([*lines, _footer(screen)], width)


def _rows(snapshot: Snapshot, screen: Screen, room: int) -> "list[Text]":
    """Return the problems, half of the room at most unless they are selected, and the events."""
    problems = shown_problems(snapshot)
    most = max(1, min(len(problems), room // 2))
    first = min(max(0, screen.selected - most + 1), len(problems) - most) if screen.on_problem and problems else 0
    rows = [_problem(one, n == screen.selected, snapshot.at) for n, one in enumerate(problems)]
    listed = rows[first : first + most]
    more = len(problems) - len(listed)
    title = say_how_many(snapshot.problems) + (f" ({more} more)" if more else "")
    room -= len(listed)
    at = screen.selected - screen.problems
    begin = max(0, at - room + 1)
    events = [_event_row(one, n == at) for n, one in enumerate(snapshot.events)][begin : begin + room]
    if not snapshot.events:
        events = [_plain("nothing matches" if screen.search else "no hook has arrived yet", "dim")]
    return [_plain(title, "bold"), *listed, *events]


def _strip(snapshot: Snapshot, width: int) -> "Text":
    """Return the numbers; where there is no room for all, those first that need a person."""
    from rich.text import Text

    if len("  ".join(f"{one.count:,} {one.name}" for one in snapshot.numbers)) > width:
        numbers = sorted(snapshot.numbers, key=lambda one: not _number_tone(one))
    else:
        numbers = list(snapshot.numbers)
    text = Text()
    for one in numbers:
        tone = _number_tone(one)
        text.append(f"{one.count:,}", style=f"bold {tone}".strip()).append(f" {one.name}  ", style=tone or "dim")
    return text


def _number_tone(number: StripNumber) -> str:
    return _TONES.get(number.name, "") if number.count else ""


def _problem(problem: Problem, selected: bool, now: int) -> "Text":
    tone = "red" if problem.grade == "bad" else "yellow"
    mark = "✓" if problem.state is ProblemState.SEEN else "●"
    return _row(f"{mark} {problem.about}: {_shorten_times(problem.found, now)}", tone, selected)


def _shorten_times(text: str, now: int) -> str:
    """Write times to the minute, and those of today without the day: a row has room for little."""
    today = format_time(now)[:10]
    return _TIME.sub(lambda found: found[2] if found[1] == today else f"{found[1]} {found[2]}", text)


def _wrap(line: str, width: int) -> list[str]:
    """Break a line at words, masked as a whole before: a number in two halves is none any more."""
    masked = escape_line(mask_people(mask_secrets(line)))
    indent = " " * (len(masked) - len(masked.lstrip()) + 2)
    return textwrap.wrap(masked, width, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _event_row(found: FoundEvent, selected: bool) -> "Text":
    row = f"{format_clock(found.receipt.received_at)[:8]}  {_event(found)}"
    return _row(row, _STATES.get(found.state, ""), selected)


def _event(found: FoundEvent) -> str:
    event = found.event
    what = f"{event.name} {event.entity} {event.entity_id}".rstrip() if event else found.id
    reason = f": {found.reason}" if found.reason else ""
    return f"{found.receipt.source}  {what}  {found.state}{reason}"


def _row(text: str, tone: str, selected: bool) -> "Text":
    return _plain(("› " if selected else "  ") + text, f"reverse {tone}".strip() if selected else tone)


def _footer(screen: Screen) -> "Text":
    if screen.typing is not None:
        return _plain(f"/{screen.typing}▏", "bold")
    if screen.trouble:
        return _plain(screen.trouble, "bold red")
    search = f"  /{screen.search}" if screen.search else ""
    keys = "j k  enter  x seen  / search  ? keys  q quit" if screen.view == "list" else "j k  q back"
    return _plain(("paused  " if screen.paused else "") + keys + search, "dim")


def _plain(text: str, style: str = "") -> "Text":
    from rich.text import Text

    return Text(escape_line(mask_people(mask_secrets(text))), style=style)


def _join(lines: "Sequence[Text]", width: int) -> "Text":
    from rich.text import Text

    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)
