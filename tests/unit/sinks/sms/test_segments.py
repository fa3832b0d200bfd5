"""How many segments a text has."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.sinks.sms.segments import count_segments, is_gsm


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),  # 2 * 153
        ("a" * 307, 3),
        ("€" * 80, 1),  # two places each
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 10, 2),  # 153 + 1: the escape is not parted from its character
        ("a" * 152 + "€" + "a" * 151, 2),  # 152 | 2 + 151
        ("a" * 152 + "€" + "a" * 152, 3),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),  # 2 * 67
        ("я" * 135, 3),
        ("a" * 70 + "я", 2),  # one letter, and all of it is UCS-2
        ("a" * 69 + "я", 1),
        ("😀" * 35, 1),  # two units each
        ("😀" * 36, 2),
        ("😀" * 66, 2),  # 33 in each: a pair is not parted, so 66 of the 67 units
        ("😀" * 67, 3),
        ("é" * 160, 1),  # in the alphabet
        ("ç" * 71, 2),  # only its capital is
        ("`" * 71, 2),
    ],
)
def test_segments(text, expected):
    assert count_segments(text) == expected


@settings(max_examples=80)
@given(st.text(st.sampled_from("ab€[я😀\n"), max_size=400))
def test_a_text_fits_into_its_segments_and_not_into_fewer_characters_than_they_carry(text):
    extended = sum(character in "€[" for character in text)
    units = len(text) + extended if is_gsm(text) else len(text.encode("utf-16-le")) // 2
    alone, together = (160, 153) if is_gsm(text) else (70, 67)
    count = count_segments(text)
    if units <= alone:
        assert count == 1
    else:
        assert -(-units // together) <= count <= -(-units // (together - 1))


@settings(max_examples=50)
@given(st.text(max_size=200), st.text(max_size=20))
def test_more_text_is_never_fewer_segments(text, more):
    assert count_segments(text + more) >= count_segments(text)
