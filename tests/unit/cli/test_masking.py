"""E-mail addresses and phone numbers are hidden wherever they stand; ids, times and amounts are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.cli.masking import mask, masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("anna.kovaleva@example.com", "a***@example.com"),
        ("to Anna <anna+crm@mail.example.co.uk>, now", "to Anna <a***@mail.example.co.uk>, now"),
        ("+79161234567", "+7***67"),
        ("+7 (916) 123-45-67", "+7***67"),
        ("8 916 123 45 67", "8 ***67"),
        ("89161234567", "89***67"),
        ('phone eq "79161234567": no', 'phone eq "79***67": no'),
        ("+375 29 123-45-67", "+3***67"),
        ("+442071838750", "+4***50"),
    ],
)
def test_what_belongs_to_a_person_is_masked(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "lead 31926521",
        "1795443326526",  # milliseconds
        "1763049630",  # seconds
        "2026-11-23 14:27:44.392",
        "01a208cd-b8af-70eb-8554-7952e29f4dba",
        "84500000-8000-7000-8000-791612345678",
        "154000.00",
        "Сделка «Ремонт офиса»: 48 500",
        "user @ example",
        "http://127.0.0.1:24273/mailing/subscribers",
    ],
)
def test_what_does_not_is_left(text: str) -> None:
    assert mask(text) == text


def test_json_is_masked_in_its_values_and_keeps_its_shape() -> None:
    value = {"to": ["a.b@example.com"], "phone": 79161234567, "id": 31926521, "ok": True, "none": None, "sum": 1.5}
    assert masked(value) == {
        "to": ["a***@example.com"], "phone": "79***67", "id": 31926521, "ok": True, "none": None, "sum": 1.5,
    }  # fmt: skip


@given(st.text(alphabet="ab +7891236540()-.@", max_size=40))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.from_regex(r"\+7 ?\(?9[0-9]{2}\)? ?[0-9]{3}-?[0-9]{2}-?[0-9]{2}", fullmatch=True))
def test_no_mobile_number_keeps_its_middle(number: str) -> None:
    assert number[3:-2] not in mask(f"call {number} today")
