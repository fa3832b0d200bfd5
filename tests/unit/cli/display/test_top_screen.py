"""Keys of `relay top` are those of the pages, and what is drawn fits a terminal of 80 by 24."""

import pytest
from msgspec.structs import replace

from relay.cli.display.keyboard import split_keys
from relay.cli.display.top import draw_screen, format_snapshot
from relay.cli.display.top_screen import Screen, press
from relay.model import ReceiptState, RoutedEvent
from relay.operations.problems import Problem, ProblemState
from relay.operations.search import FoundEvent
from relay.operations.snapshot import Snapshot
from relay.operations.strip import StripNumber
from relay.store.stored import StoredReceipt
from relay.timefmt import format_time

AT = 1_795_443_326_526
LIST = Screen(rows=["p1", "p2", "e1", "e2", "e3"], problems=2)


def after(screen: Screen, keys: str) -> tuple[Screen, str | None]:
    act = None
    for key in split_keys(keys):
        screen, act = press(screen, key)
    return screen, act


@pytest.mark.parametrize(
    ("keys", "row", "act"),
    [
        ("", "p1", None),
        ("j", "p2", None),
        ("jjjjjjjj", "e3", None),
        ("k", "p1", None),
        ("\x1b[B\x1b[B\x1b[A", "p2", None),
        ("ge", "e1", None),
        ("gejgp", "p1", None),
        ("\r", "p1", "open"),
        ("x", "p1", "seen"),
        ("gex", "e1", None),
        ("q", "p1", "quit"),
    ],
)
def test_keys_move_open_and_end(keys, row, act):
    screen, done = after(LIST, keys)
    assert (screen.row, done) == (row, act)


def test_what_is_opened_is_left_with_q_and_the_list_stays_where_it_was():
    screen, act = after(LIST, "jj\rjjq")
    assert (screen.view, screen.row, act) == ("list", "e1", None)


def test_a_search_is_typed_and_taken_back():
    screen, act = after(LIST, "/lead:77\x7f\r")
    assert (screen.search, screen.typing, act) == ("lead:7", None, "search")
    assert after(LIST, "/q\x1b")[0] == LIST


def test_the_selected_row_stays_selected_when_others_come():
    screen = after(LIST, "gej")[0].with_rows(["p0", "p1"], ["e0", "e1", "e2"])
    assert screen.row == "e2"
    assert screen.with_rows([], []).row == ""
    assert after(Screen(), "jk\rx")[0].row == ""


def problem(n: int, state: ProblemState = ProblemState.NEW) -> Problem:
    return Problem(about=f"sink s{n}", grade="bad", found="closed: call +7 999 123-45-67 \x1b[31m" + "x" * 90,
                   kind="sink-closed", subject=f"s{n}", state=state)  # fmt: skip


def event(n: int) -> FoundEvent:
    routed = RoutedEvent(
        index=0, name="add_lead", entity="lead", entity_id=str(n), state=ReceiptState.ROUTED, reason=""
    )
    receipt = StoredReceipt(
        id=f"r{n}", source="acme", received_at=AT, size=20, state=ReceiptState.ROUTED, reason="", content_type="",
        user_agent="", request_id="", config="c1", duplicates=0, last_duplicate_at=None, events=[routed], deliveries={},
    )  # fmt: skip
    return FoundEvent(receipt=receipt, event=routed)


def snapshot(problems: int, events: int) -> Snapshot:
    names = ("inbox", "waiting", "in flight", "held", "dead", "closed gates", "silent sources", "problems")
    numbers = [StripNumber(name=name, count=7, list="sinks") for name in names]
    return Snapshot(
        at=AT, numbers=numbers, problems=[problem(n) for n in range(problems)], events=[event(n) for n in range(events)]
    )


@pytest.mark.parametrize("view", ["list", "detail", "keys"])
@pytest.mark.parametrize(("problems", "events"), [(0, 0), (1, 3), (30, 100)])
@pytest.mark.parametrize("selected", [0, 29, 129])
def test_it_fits_the_terminal_and_shows_the_selected_row(view, problems, events, selected):
    seen = snapshot(problems, events)
    screen = Screen(view=view, selected=selected).with_rows(
        [one.id for one in seen.problems], [one.id for one in seen.events]
    )
    lines = draw_screen(seen, screen, 80, 24, ["a line"] * 50).plain.split("\n")
    assert len(lines) == 24
    assert max(map(len, lines)) <= 80
    assert "123-45-67" not in "\n".join(lines)
    assert "\x1b" not in "\n".join(lines)
    if view == "list" and problems + events:
        assert sum(line.startswith("›") for line in lines) == 1


def test_on_a_narrow_terminal_the_numbers_come_first_that_need_a_person():
    seen = snapshot(0, 0)
    assert draw_screen(seen, Screen(), 160, 24).plain.startswith("7 inbox  7 waiting")
    assert draw_screen(seen, Screen(), 80, 24).plain.startswith("7 held  7 dead  7 closed gates")


def test_a_row_says_times_short_and_what_is_opened_is_wrapped_with_nobody_shown():
    found = f"closed since {format_time(AT)}, at least until {format_time(AT + 86_400_000)}: 401"
    seen = replace(snapshot(0, 0), problems=[replace(problem(1), found=found)])
    row = draw_screen(seen, Screen(), 80, 24).plain.split("\n")[2]
    today, tomorrow = format_time(AT)[11:16], format_time(AT + 86_400_000)[:16]
    assert row == f"› ● sink s1: closed since {today}, at least until {tomorrow}: 401"
    line = "        do:    " + "look at what it says " * 3 + "then call +7 999 123-45-67 about it"
    drawn = draw_screen(seen, Screen(view="detail"), 80, 24, [line]).plain.split("\n")
    assert drawn[2].startswith("          ")
    assert " ".join(" ".join(drawn[1:3]).split()).startswith("do: look at what it says look at")
    assert "about it" in drawn[2]
    assert "123-45-67" not in "".join(drawn)
    assert drawn[-1] == "j k  q back"


def test_in_a_pipe_there_is_a_line_for_each_thing():
    muted = Snapshot(
        at=AT, numbers=snapshot(0, 0).numbers, problems=[problem(1, ProblemState.MUTED)], events=[event(1)]
    )
    lines = list(format_snapshot(muted))
    assert lines[1] == "All is well"
    assert lines[2].endswith("acme  add_lead lead 1  routed")
