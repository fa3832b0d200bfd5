"""What a stranger's text may do to a terminal: nothing."""

import json
import unicodedata

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from relay.printable import escape_json, escape_line, escape_lines

BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
# Every control character there is, the marks that turn the order of reading, and the line ends of Unicode.
OBEYED = [
    character
    for character in map(chr, range(0x3000))
    if unicodedata.category(character) in ("Cc", "Zl", "Zp")
    or unicodedata.bidirectional(character) in BIDIRECTIONAL
    or character in "\u061c\u200e\u200f"
]


def test_no_character_that_a_terminal_obeys_is_printed():
    assert len(OBEYED) == 65 + 2 + 9 + 3
    printed = escape_line("".join(OBEYED))
    assert printed.isascii()
    assert printed.isprintable()
    assert escape_lines("".join(OBEYED)).replace("\n", "").replace("\t", "") == printed.replace(r"\t\n", "", 1)


def test_escapes_are_pythons_and_other_texts_stay():
    assert escape_line("\x1b[2Jforged\r\n\u202eecnahc") == r"\x1b[2Jforged\r\n\u202eecnahc"
    assert escape_lines("a\x9b1m\n\tb") == "a\\x9b1m\n\tb"
    assert escape_line("Сделка №7 – «важно» 🚀 é") == "Сделка №7 – «важно» 🚀 é"


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_means_the_same_and_is_safe_to_print(value):
    printed = escape_json(msgspec.json.encode(value).decode())
    assert json.loads(printed) == value
    assert not set(printed) & set(OBEYED)
