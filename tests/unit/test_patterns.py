"""Patterns find what Python's `re` finds, and no text makes them slow."""

import re
import unicodedata
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.patterns import PatternError, compile_pattern

ASSIGNED = [
    character
    for character in map(chr, range(0x20000))
    if unicodedata.category(character) not in ("Cn", "Co", "Cs")  # unassigned: the engine may know a newer Unicode
]


@pytest.mark.parametrize("pattern", [r"\w", r"\d", r"\s", r"[\W]", r"[^\W\d]", r"[\S]", r"[\D]"])
def test_character_classes_mean_what_they_mean_in_python(pattern):
    expected, search = re.compile(pattern).search, compile_pattern(pattern)
    assert [one for one in ASSIGNED if search(one) != (expected(one) is not None)] == []


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^\w+$", "Иван", True),
        (r"^\w+$", "Иван\n", True),
        (r"(?m)^b$", "a\nb\nc", True),
        (r"(?i)важн", "ВАЖНЫЙ", True),
        (r"\Aa\Z", "a\n", False),
        (r"a{,2}b", "b", True),
        (r"[]a]", "]", True),
        (r"[^]a]", "]a", False),
        (r"[^^]", "^", False),
        (r"[[a]", "[", True),
        (r"[\b]", "\b", True),
        (r"\u0410\x42\103\N{CYRILLIC SMALL LETTER A}", "АBCа", True),
        (r"a(?#a comment with ]b)b", "ab", True),
        (r"\№\-\.", "№-.", True),
        (r"(?P<year>\d{4})-(?:0[1-9]|1[0-2])", "от 2026-11", True),
        ("a", "\ud800a", True),
    ],
)
def test_what_python_finds_is_found(pattern, text, found):
    with warnings.catch_warnings(action="ignore"):  # of "[[a]"
        assert (re.search(pattern, text) is not None) == found
    assert compile_pattern(pattern)(text) == found


PARTS = st.sampled_from(
    [
        "a",
        "б",
        r"\w",
        r"\d",
        r"\s",
        r"\W",
        r"\S",
        "[a-я]",
        r"[^\w!]",
        r"[\W1]",
        ".",
        "^",
        "$",
        "(?:a|б1)",
        "(!)",
        r"\.",
        " ",
    ]
)
REPEATED = st.builds(str.__add__, PARTS, st.sampled_from(["", "", "?", "*", "+", "{2}", "{,2}", "+?"]))


@given(st.lists(REPEATED, min_size=1, max_size=4).map("".join), st.text("aбЯ1 !.\n_\u00a0", max_size=8))
def test_any_pattern_finds_in_any_text_what_python_finds(pattern, text):
    try:
        expected = re.search(pattern, text) is not None
    except re.error:  # "^*": nothing to repeat
        with pytest.raises(PatternError, match="no regular expression"):
            compile_pattern(pattern)
        return
    assert compile_pattern(pattern)(text) == expected


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        (r"\bvip\b", r"for a whole word write (^|\W)word(\W|$)"),
        (r"a\B", r"write \w where the word goes on"),
        (r"(?=a)", "write a pattern of what is there"),
        (r"(?!a)", "write a second condition instead"),
        (r"(?<=a)b", "as a part of the pattern"),
        (r"(?<!a)b", "write a second condition instead"),
        (r"(a)\1", "write the pattern again"),
        (r"(?P<x>a)(?P=x)", "write the pattern again"),
        (r"(a)?(?(1)b|c)", "write both ways with |"),
        (r"(?>a)", "write (?:"),
        (r"a++", "leave out the second sign"),
        (r"a{2,3}+", "leave out the second sign"),
        (r"(?x) a", "without blanks and comments"),
        (r"(?a)\w", "write [0-9] for"),
        (r"(?u)a", "leave it out"),
        (r"a{1001}", "1000 times at most"),
        (r"\w{1000}\w{1000}\w{1000}", "it is too large"),
        (r"(", "no regular expression: missing )"),
    ],
)
def test_what_cannot_be_searched_for_is_refused_with_the_way_to_write_it(pattern, hint):
    with pytest.raises(PatternError) as refused:
        compile_pattern(pattern)
    assert pattern in str(refused.value)
    assert hint in str(refused.value)


@pytest.mark.parametrize("pattern", [r"^(\w+\s?)+$", r"(a*)*b", r"(a|aa)+$", r"(.*a){20}$", r"^(\d+)*[.]$"])
def test_no_text_makes_a_search_endless(pattern):
    """Each of these took Python's engine longer than anybody would wait."""
    for text in ("a" * 4000 + "!", "1" * 4000 + "!", "a" * (1 << 20) + "!"):
        assert not compile_pattern(pattern)(text)
