"""What is sent of a script: its parts, without the functions that it never calls."""

import re

import pytest

from relay.store.scripts import Script
from tests.unit.store.lua_source import SCRIPTS

CLOCK = "local now = time[1] * 1000 + math.floor(time[2] / 1000)"
PARTS_OF_TURN = ("_history", "_gates", "_packed", "_breaker", "_settling", "_limits", "_deaths", "_claiming")


def test_a_script_is_read_when_it_is_first_called():
    script = Script("accept")
    assert "text" not in vars(script), "a command calls few of them"
    assert len(script.sha) == 40
    assert "text" in vars(script)


def functions(text: str) -> list[str]:
    return re.findall(r"^local function (\w+)", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("script", "left_out", "kept"),
    [
        (Script("look"), "cause_of", "first_score"),
        (Script("accept", "_packed"), "split_packed", "has_receipt"),
        (Script("settle_and_claim", *PARTS_OF_TURN), "call_workers", "cause_of"),  # kept by a function that it needs
        (Script("accept", "_packed"), "write_facts", "write_collected"),  # only what notes a fact has what writes them
        (Script("mark_sending"), "update_wake_and_call", "update_wake"),  # of two whose names are alike
    ],
)
def test_a_function_is_sent_where_something_behind_it_names_it(script, left_out, kept):
    assert left_out not in functions(script.text)
    assert kept in functions(script.text)


@pytest.mark.parametrize("name", [name for name in SCRIPTS if not name.startswith("_")])
def test_all_that_is_no_function_is_sent_as_it_stands(name):
    def others(text: str) -> list[str]:
        without = re.sub(r"(?m)^local function (?:[^\n]* end$|[\s\S]*?^end$)", "", text)
        return [line for line in without.split("\n") if line and not line.startswith("#!")]

    shared = others(SCRIPTS["_prelude"]) + others(SCRIPTS["_facts"]) + others(SCRIPTS["_ending"])
    sent = others(Script(name).text)
    begin, end = sent.index("return (function()"), len(sent) - 1
    assert sent[begin - 1] == CLOCK, "what every function names stands before the one that all the rest is in"
    assert sent[end] == "end)()"
    assert [*sent[:begin], *sent[begin + 1 : end]] == shared + others(SCRIPTS[name])
