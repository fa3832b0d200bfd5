"""What counts as a part of a worker that stands still: the time in which it could have turned, and did not."""

import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.harness import until
from workers.stall_watcher import Stalls, is_stopped

LIMIT = 20.0


@pytest.mark.parametrize(
    ("told", "stalled"),
    [
        ([], []),
        (["+loop", 19.9], []),
        (["+loop", 20], ["loop"]),
        (["+loop", 19, "+loop", 19], []),
        (["+planner", 20], ["planner"]),
        (["+planner", 19, "-planner", 20], []),  # it has nothing to do
        (["+planner", 19, "=planner", 1], ["planner"]),  # at work, and has not turned
        (["-planner", "=planner", 20], ["planner"]),  # the first line was lost
        (["+loop", 0.9, "+planner", 19.1], ["planner", "loop"]),  # it holds the interpreter's lock, and so the loop up
        (["+planner", 15, "+loop", 20], ["planner", "loop"]),
        (["+loop", 15, "+planner", 5], ["loop"]),  # the planner waits for it
    ],
)
def test_who_does_not_turn_for_the_limit_stands_still(told: list[str | float], stalled: list[str]) -> None:
    stalls = Stalls(LIMIT)
    for one in told:
        if isinstance(one, str):
            stalls.receive(one.encode() + b"\n")
        else:
            stalls.wait(one)
    assert stalls.stalled() == stalled


@given(st.lists(st.sampled_from(["+loop", "-loop", "=planner", "+planner", "-planner"])), st.data())
def test_lines_mean_the_same_however_the_pipe_cuts_them(lines: list[str], data: st.DataObject) -> None:
    text = "".join(f"{line}\n" for line in lines).encode()
    whole, cut = Stalls(LIMIT), Stalls(LIMIT)
    whole.receive(text)
    while text:
        some = data.draw(st.integers(1, len(text)))
        cut.receive(text[:some])
        text = text[some:]
    for stalls in (whole, cut):
        stalls.wait(LIMIT)
    assert whole.stalled() == cut.stalled()


def test_a_stopped_process_is_told_from_one_that_runs() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        assert not is_stopped(process.pid)
        os.kill(process.pid, signal.SIGSTOP)
        until(lambda: is_stopped(process.pid))
        os.kill(process.pid, signal.SIGCONT)
        until(lambda: not is_stopped(process.pid))
    finally:
        process.kill()
        process.communicate()
