"""How many segments a text has."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.sinks.sms.segments import count_segments, fit_gsm, is_gsm


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


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Total: 1\u00a0500,00 EUR", "Total: 1 500,00 EUR"),  # what | money writes
        ("1\u202f500 \u2013 2\u2009000", "1 500 - 2 000"),
        ("“It’s ready” — call us…", '"It\'s ready" - call us...'),
        ("«Acme» „Ltd‟", '"Acme" "Ltd"'),
        ("soft\u00adhyphen\u200b\ufeff", "softhyphen"),
        ("• 2×3 • −5", "- 2x3 - -5"),
        ("line\u2028next\u2029last", "line\nnext\nlast"),
        ("Cafe\u0301", "Café"),  # composed, it is in the alphabet
    ],
)
def test_typographic_characters_do_not_make_a_latin_text_ucs2(text, plain):
    assert not is_gsm(text)
    assert (fit_gsm(text), is_gsm(plain)) == (plain, True)


@pytest.mark.parametrize(
    "text",
    [
        "Заказ — «готов»: 1\u00a0500 ₽…",  # it stays UCS-2 in any case
        "ready — 😀",
        "plain & simple",
        "…" * 60,  # 180 full stops would be two segments
    ],
)
def test_a_text_that_gains_nothing_stays_as_it_is(text):
    assert fit_gsm(text) == text


@settings(max_examples=200)
@given(st.text(st.sampled_from("aé1€ \n—–«»“”’…\u00a0\u202f\u00ad•×я😀"), max_size=200))
def test_fitting_is_never_dearer_and_ends(text):
    fitted = fit_gsm(text)
    assert fitted == text or is_gsm(fitted)
    assert count_segments(fitted) <= count_segments(text)
    assert fit_gsm(fitted) == fitted
