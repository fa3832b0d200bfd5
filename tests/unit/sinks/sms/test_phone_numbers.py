"""Numbers as people write them become E.164, or a reason without the number in it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.errors import RejectDelivery, SkipDelivery
from relay.sinks.sms.phone_numbers import parse_phone

MOBILE = "+79161234567"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("+79161234567", MOBILE),
        ("8 (916) 123-45-67", MOBILE),
        ("89161234567", MOBILE),
        ("79161234567", MOBILE),
        (79161234567, MOBILE),
        ("9161234567", MOBILE),
        ("tel:+7-916-123-45-67", MOBILE),
        ("\u00a0+7\u00a0916\u202f123\u201145\u201367 ", MOBILE),
        ("+7 701 123 45 67", "+77011234567"),
        ("87011234567", "+77011234567"),
        ("+375 29 123-45-67", "+375291234567"),
        ("375291234567", "+375291234567"),
        ("8 029 123-45-67", "+375291234567"),
    ],
)
def test_a_mobile_of_the_regions_is_written_as_e164(value, expected):
    assert parse_phone(value) == expected


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "there is no number"),
        ("", "there is no number"),
        (" \u00a0", "there is no number"),
        ("8 (495) 123-45-67", r"\+7\*\*\*4567 is a landline number"),
        ("+7 727 250-00-00", r"\+7\*\*\*0000 is a landline number"),
        ("8-800-555-35-35", r"\+7\*\*\*3535 is a toll free number"),
    ],
)
def test_nobody_to_reach_is_skipped(value, why):
    with pytest.raises(SkipDelivery, match=why):
        parse_phone(value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("+84951234567", "is a number of VN, and the sink's regions are RU, KZ, BY"),  # Moscow's 8 495 behind a +
        ("+8 495 123-45-67", "is a number of VN"),
        ("+12025550123", "is a number of US"),
        ("+70001234567", "is no number of RU, KZ, BY"),
        ("8 916 123 45 6", "is no number"),
        ("112", r"\*\*\* is no number"),
        ("Иван", r"\*\*\* is no number"),
        ("8-800-FLOWERS", "is no number"),
        ("+7 916 123-45-67 доб. 12", "is no number"),
        ("+79161234567, +79261234567", "is no number"),
        ("٨٩١٦١٢٣٤٥٦٧", "is no number"),
        (["+79161234567"], "is no number"),
        (True, "is no number"),
    ],
)
def test_what_is_no_number_of_the_regions_is_rejected(value, why):
    with pytest.raises(RejectDelivery, match=why):
        parse_phone(value)


def test_a_number_is_of_the_regions_that_the_sink_has():
    assert parse_phone("+12025550123", ["US"]) == "+12025550123"
    with pytest.raises(RejectDelivery, match="is a number of KZ, and the sink's regions are RU"):
        parse_phone("+77011234567", ["RU"])


def read_or_reason(text: str) -> str:
    try:
        return parse_phone(text)
    except (RejectDelivery, SkipDelivery) as error:
        return str(error)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=30), st.from_regex(r"\+?[0-9 ()-]{5,18}", fullmatch=True)))
def test_any_text_is_a_number_or_a_reason_without_the_number(text):
    read = read_or_reason(text)
    if re.fullmatch(r"\+(7\d{10}|375\d{9})", read):
        assert parse_phone(read) == read
    else:
        digits = re.sub(r"[^0-9]", "", text)
        assert read.startswith("phone: ")
        assert len(digits) < 5 or digits not in read
