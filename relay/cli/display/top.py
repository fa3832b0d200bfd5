"""Draw what `relay top` shows: on a screen with rich, or as lines. Pure."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from relay.cli.display.top_screen import KEYS, Screen
from relay.masking import mask_people, mask_secrets
from relay.operations.problems import Problem, ProblemState, say_how_many
from relay.operations.search import FoundEvent
from relay.operations.snapshot import Snapshot
from relay.printable import escape_line
from relay.timefmt import format_clock, format_time

if TYPE_CHECKING:  # lines need no rich
    from rich.text import Text

_TONES: Final = {"held": "yellow", "dead": "red", "closed gates": "red", "silent sources": "yellow", "problems": "red"}
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
    lines = [_strip(snapshot)]
    if screen.view == "keys":
        lines += [_plain(""), *(_plain(f"{keys:<14}{what}") for keys, what in KEYS)]
    elif screen.view == "detail":
        lines += [_plain(one) for one in detail[screen.scroll :]]
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
    listed = [_problem(one, n == screen.selected) for n, one in enumerate(problems)][first : first + most]
    more = len(problems) - len(listed)
    title = say_how_many(snapshot.problems) + (f" ({more} more)" if more else "")
    room -= len(listed)
    at = screen.selected - screen.problems
    begin = max(0, at - room + 1)
    events = [_event_row(one, n == at) for n, one in enumerate(snapshot.events)][begin : begin + room]
    if not snapshot.events:
        events = [_plain("nothing matches" if screen.search else "no hook has arrived yet", "dim")]
    return [_plain(title, "bold"), *listed, *events]


def _strip(snapshot: Snapshot) -> "Text":
    from rich.text import Text

    text = Text()
    for one in snapshot.numbers:
        tone = _TONES.get(one.name, "") if one.count else ""
        text.append(f"{one.count:,}", style=f"bold {tone}".strip()).append(f" {one.name}  ", style=tone or "dim")
    return text


def _problem(problem: Problem, selected: bool) -> "Text":
    tone = "red" if problem.grade == "bad" else "yellow"
    mark = "✓" if problem.state is ProblemState.SEEN else "●"
    return _row(f"{mark} {problem.about}: {problem.found}", tone, selected)


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
    return _plain(
        ("paused  " if screen.paused else "") + "j k  enter  x seen  / search  ? keys  q quit" + search, "dim"
    )


def _plain(text: str, style: str = "") -> "Text":
    from rich.text import Text

    return Text(escape_line(mask_people(mask_secrets(text))), style=style)


def _join(lines: "Sequence[Text]", width: int) -> "Text":
    from rich.text import Text

    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)
