"""E-mail addresses and telephone numbers are masked wherever they stand; ids, times and amounts are left."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote, quote_plus, unquote

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from relay.masking import mask_people, mask_people_in_json, mask_phone


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("anna.kovaleva@example.com", "a***@example.com"),
        ("to Anna <anna+crm@mail.example.co.uk>, now", "to Anna <a***@mail.example.co.uk>, now"),
        ("https://x.example/p?email=anna%40example.com&n=1", "https://x.example/p?email=a***%40example.com&n=1"),
        ("email=anna%2Bcrm%40example.com", "email=a***%40example.com"),
        ("mailto:o_brien@example.com", "mailto:o***@example.com"),
        ("https://x.example/people/anna@example.com/notes", "https://x.example/people/a***@example.com/notes"),
        ("почта анна@пример.рф", "почта а***@пример.рф"),
        ('{"to":["a.b@example.com","c.d@example.org"]}', '{"to":["a***@example.com","c***@example.org"]}'),
        ("E-mail anna@example.com.", "E-mail a***@example.com."),
    ],
)
def test_an_e_mail_address_keeps_its_first_letter_and_its_domain(text: str, masked: str) -> None:
    assert mask_people(text) == masked


PLACES = (
    "{}",
    "call {} today",
    "phone={}&n=1",
    '{{"phone": "{}", "id": 31926521}}',
    "тел.{},",
    "({})",
    "https://x.example/{}?a=1",
    "{}: no",
)


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        # Russia
        ("+79161234567", "+7***4567"),
        ("+7 (916) 123-45-67", "+7***4567"),
        ("+7 916 123 45 67", "+7***4567"),
        ("+7-916-123-45-67", "+7***4567"),
        ("+7.916.123.45.67", "+7***4567"),
        ("+7 (84862) 1-23-45", "+7***2345"),
        ("%2B79161234567", "+7***4567"),
        ("%2B7%20%28916%29%20123-45-67", "+7***4567"),
        ("+7\u00a0916\u00a0123\u201145\u201167", "+7***4567"),
        ("8 (916) 123-45-67", "8***4567"),
        ("8(916)1234567", "8***4567"),
        ("8 - 916 - 123 - 45 - 67", "8***4567"),
        ("8%20%28916%29%20123-45-67", "8***4567"),
        ("8+(916)+123-45-67", "8***4567"),
        ("8-800-555-35-35", "8***3535"),
        ("89161234567", "8***4567"),
        ("79161234567", "7***4567"),
        ("007 916 123-45-67", "0***4567"),
        ("(916) 123-45-67", "9***4567"),
        ("916 123-45-67", "9***4567"),
        ("916 123 45 67", "9***4567"),
        ("(495) 123 45 67", "4***4567"),
        # Kazakhstan
        ("+7 701 123 45 67", "+7***4567"),
        ("8 (727) 258-12-34", "8***1234"),
        ("77011234567", "7***4567"),
        # Belarus
        ("+375 29 123-45-67", "+3***4567"),
        ("+375 (17) 123 45 67", "+3***4567"),
        ("375291234567", "3***4567"),
        ("375 29 123-45-67", "3***4567"),
        ("00375 29 123-45-67", "0***4567"),
        ("8 029 123-45-67", "8***4567"),
        ("8 (017) 123-45-67", "8***4567"),
        ("8029 1234567", "8***4567"),
        ("(029) 123-45-67", "0***4567"),
        ("29 123-45-67", "2***4567"),
        # The United States
        ("+12125550123", "+1***0123"),
        ("+1 (212) 555-0123", "+1***0123"),
        ("+1-212-555-0123", "+1***0123"),
        ("1-212-555-0123", "1***0123"),
        ("1 (212) 555-0123", "1***0123"),
        ("(212) 555-0123", "2***0123"),
        ("212-555-0123", "2***0123"),
        ("212.555.0123", "2***0123"),
        # Germany
        ("+4915123456789", "+4***6789"),
        ("+49 151 23456789", "+4***6789"),
        ("+49 (0) 30 901820", "+4***1820"),
        ("+49 30 9018-20", "+4***1820"),
        ("0049 151 23456789", "0***6789"),
        ("4915123456789", "4***6789"),
        ("0151 23456789", "0***6789"),
        ("0151/23456789", "0***6789"),
        ("015123456789", "0***6789"),
        ("(030) 901820", "0***1820"),
        ("030 / 90 18 20", "0***1820"),
        # Others
        ("+442071838750", "+4***8750"),
        ("020 7183 8750", "0***8750"),
        ("380501234567", "3***4567"),
        ("998901234567", "9***4567"),
    ],
)
def test_a_number_keeps_its_first_digit_and_its_last_four(number: str, masked: str) -> None:
    assert [mask_people(place.format(number)) for place in PLACES] == [place.format(masked) for place in PLACES]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("phones=79161234567,89161234568;+375291234567", "phones=7***4567,8***4568;+3***4567"),
        ('{"79161234567":{"status":"OK"},"phone":79161234567}', '{"7***4567":{"status":"OK"},"phone":7***4567}'),
        ("call_79161234567.mp3", "call_7***4567.mp3"),
        ("call-79161234567-20261105.mp3", "call-7***4567-20261105.mp3"),
        ("tel:+79161234567;ext=5", "tel:+7***4567;ext=5"),
        ("+79161234567 +79161234568", "+7***4567 +7***4568"),
        ("+79161234567 12 шт", "+7***4567 12 шт"),
        ("text=call%2079161234567%2C%20please", "text=call%207***4567%2C%20please"),
        ("phone%3D79161234567", "phone%3D7***4567"),
        # in other writings: twice encoded, escaped in JSON and HTML, wide, with hard spaces
        ("next=https%3A%2F%2Fx%3Fto%3D%252B375%252029%2520123-45-67", "next=https%3A%2F%2Fx%3Fto%3D+3***4567"),
        ("to=29%20123-45-67&n=1", "to=2***4567&n=1"),
        ("to=(916)+123-45-67&n=1", "to=9***4567&n=1"),
        (r'{"to":"\u002B375291234567"}', '{"to":"+3***4567"}'),
        ("call &#43;49 30 901820", "call +4***1820"),
        ("call ＋375 29 123-45-67", "call ＋3***4567"),
        ("29\u00a0123-45-67", "2***4567"),
        ("to=anna%2540example.com", "to=a***@example.com"),
        (r'{"to":"anna\u0040example.com"}', '{"to":"a***@example.com"}'),
        ("o'brien@example.com", "o***@example.com"),
        # known by the name of their field
        ("phone=9161234567&n=31926521", "phone=9***4567&n=31926521"),
        ("phones=9161234567,9161234568&n=1", "phones=9***4567,9***4568&n=1"),
        ('{"phone": "916 1234567", "id": 31926521}', '{"phone": "9***4567", "id": 31926521}'),
        ('{"phones":["9161234567", "9161234568"]}', '{"phones":["9***4567", "9***4568"]}'),
        ("fields%5Bphone%5D=291234567", "fields%5Bphone%5D=2***4567"),
        ("contact[phone_number]=291234567", "contact[phone_number]=2***4567"),
        ("{'tel': 2912345678}", "{'tel': 2***5678}"),
        ("Телефон: 291234567", "Телефон: 2***4567"),
        ("Позвоните 8 916 123-45-67 в 14:30", "Позвоните 8***4567 в 14:30"),
    ],
)
def test_numbers_are_found_among_others_and_within_urls(text: str, masked: str) -> None:
    assert mask_people(text) == masked


NO_PEOPLE = [
    "lead 31926521",
    "leads 31926521, 31926522 and 31926523",
    "1795443326526",  # milliseconds
    "1763049630",  # seconds
    "at 8 1763049630 7 1763049631",
    "2026-11-23 14:27:44.392",
    "2026-11-23T14:27:44+03:00",
    "tries 8 2026-11-23 14:27:44",
    "8.11.2026-9.11.2026",
    "с 8.11.2026 по 9.11.2026 12:30",
    "01-02-2026 12:30:15",
    "23-11-26 12:30 23-11-26",
    "01a208cd-b8af-70eb-8554-7952e29f4dba",
    "bc81d9db-c32e-0755-9575-076f765a8b26",
    "84500000-8000-7000-8000-791612345678",
    "01234567-0123-4567-8901-375291234567",
    "154000.00",
    "7500000000.50",
    "8.9161234567",
    "Сделка «Ремонт офиса»: 48 500",
    "7 500 000 000 ₽",
    "1 010 000 000 ₽",
    "81 234 567 890,50 ₽",
    "81.234.567.890",
    "http://81.123.234.210:8080/hooks",
    "77.88.155.200",
    "4276 3800 1234 5678",  # a card: not asked for, and no telephone
    "40702810900000012345",  # an account
    "ИНН 7707083893, ОГРН 1027700132195",
    "978-5-699-12345-6",  # a book
    "4601234567893",  # goods
    "00-00000123",  # an order of 1C
    "sha256 89161234567fab0123456789abcdef89161234567fab0123456789abcdef0123",
    "user @ example",
    "pip install relay@1.2.3",
    "http://127.0.0.1:24273/mailing/subscribers",
    "status_id=142&pipeline_id=31926521&created_at=1763049630",
    "phone_id=31926521&phones_count=12345678",
    "hotel: 31926521, telegram: 31926522",
    "https://x.example/orders/31926521?page=2&created_at=1763049630%20and%20more+2",
    "next=https%3A%2F%2Fx.example%2F%3Forder%3D31926521%2526price%253D154000.00",
    '{"phone": null, "id": 31926521, "at": "2026-11-23 14:27:44"}',
    '{"phone": "", "mobile": 1, "id": 31926521}',
    '{"id": 31926521, "price": 8123456789.5, "n": 8, "at": 1763049630}',
]


@pytest.mark.parametrize("text", NO_PEOPLE)
def test_ids_times_and_amounts_are_left(text: str) -> None:
    assert mask_people(text) == text


def facts() -> st.SearchStrategy[str]:
    """Return what our lines are made of."""
    ids, moments = st.integers(1, 99_999_999), st.datetimes(min_value=datetime(1970, 1, 1))
    seconds = st.integers(1_000_000_000, 1_999_999_999)
    return st.one_of(
        ids.map(str),
        seconds.map(str),
        seconds.map(lambda at: str(at * 1000 + 7)),
        moments.map(lambda at: at.isoformat(" ")),
        moments.map(lambda at: at.isoformat()),
        st.uuids().map(str),
        st.ip_addresses(v=4).map(str),
        st.floats(0, 1e9).map(lambda amount: f"{amount:.2f}"),
        st.integers(0, 10**10 - 1).map(lambda amount: f"{amount:,}".replace(",", " ")),
        st.binary(min_size=6, max_size=32).map(bytes.hex).filter(lambda text: not text[:12].isdigit()),
    )


@given(st.lists(facts(), min_size=1, max_size=4))
def test_no_line_of_ids_times_amounts_and_addresses_is_changed(found: list[str]) -> None:
    line = ", ".join(found)
    assert mask_people(line) == line


REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)
WRITTEN = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL)


def test_the_numbers_of_every_country_are_masked_where_they_have_their_plus() -> None:
    """By the library's own examples. Those of a few islands have seven or eight digits in all, as ids have."""
    examples = [phonenumbers.example_number_for_type(region, kind) for region in REGIONS for kind in KINDS]
    texts = [phonenumbers.format_number(number, form) for number in examples if number for form in WRITTEN]
    long = [text for text in texts if sum(map(str.isdigit, text)) >= 9]
    assert len(long) > 800
    assert [text for text in long if text[3:-4] in mask_people(f"call {text} today")] == []


@pytest.mark.parametrize("region", ["RU", "KZ", "BY", "US", "DE"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_national_spellings_of_these_countries_are_masked(region: str, kind: int) -> None:
    number = phonenumbers.example_number_for_type(region, kind)
    text = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    assert text[-8:] not in mask_people(f"call {text} today")


def spellings() -> st.SearchStrategy[tuple[str, str]]:
    """Return a number's digits, and a spelling of it with its plus, in any grouping and between other text."""
    examples = [
        phonenumbers.format_number(number, PhoneNumberFormat.E164)
        for region in REGIONS
        for kind in KINDS
        if (number := phonenumbers.example_number_for_type(region, kind)) is not None
    ]
    numbers = st.sampled_from([number for number in examples if len(number) >= 10])
    gaps = st.sampled_from(["", "", "", " ", "-", ".", " (", ") ", "\u00a0", "\u2011"])
    encodings = st.sampled_from([str, quote, quote_plus, lambda text: quote(quote(text)), _escape_as_json])
    places = st.sampled_from(
        ["{}", "/people/{}", "?to={}&n=1", '{{"to":"{}"}}', '{{"{}":1}}', "to {} at 14:30", "{}, {}"]
    )

    def write(number: str, between: list[str], encode: Callable[[str], str], place: str) -> tuple[str, str]:
        digits = number.removeprefix("+")
        spaced = "".join(digit + gap for digit, gap in zip(digits, [*between, *[""] * 20], strict=False))
        written = encode("+" + spaced.strip(" (-.\u00a0\u2011"))
        return digits, place.format(written, written)

    return st.builds(write, numbers, st.lists(gaps, min_size=4, max_size=14), encodings, places)


def _escape_as_json(text: str) -> str:
    return json.dumps(text)[1:-1].replace("+", r"\u002B")


@settings(max_examples=500, deadline=None)
@given(spellings())
def test_no_spelling_of_any_country_s_number_shows_its_middle(spelt: tuple[str, str]) -> None:
    digits, text = spelt
    shown = re.sub(r"[^0-9]", "", unquote(unquote(mask_people(text))))
    assert digits[1:-4] not in shown, mask_people(text)


@given(st.from_regex(r"(\+7|8) ?\(?9[0-9]{2}\)? ?[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{2}", fullmatch=True))
def test_no_mobile_number_keeps_its_middle(number: str) -> None:
    assert sum(map(str.isdigit, mask_people(f"call {number} today"))) == 5


@given(st.text(alphabet="ab +7891236540()-.@%2B*", max_size=40))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert mask_people(mask_people(text)) == mask_people(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("begin", "repeated", "end"),
    [
        ("", "a'", " @"),
        ("", "'a", " @"),
        ("", "a!~", " @"),
        ("", "a'%40", ""),
        ("", "~", "@"),
        ("", ".-", "@"),
        ("", "a@", ""),
        ("a@", "a.", "!"),
        ("phone=", "1", ":"),
        ("phone=", "1.", ":"),
        ("phone=", "1....", ":"),
        ("phone=", "1 ", ":"),
        ("phone=", "(", ":"),
        ("", "phone=1111111:", ""),
        ("phone=1111111", ",;", ""),
    ],
)
def test_a_long_text_is_masked_whatever_a_stranger_makes_of_it(begin: str, repeated: str, end: str) -> None:
    """Where the work grows with the square of the length, one of them takes minutes."""
    text = begin + repeated * (200_000 // len(repeated)) + end
    assert mask_people(text + " anna@example.com").endswith("a***@example.com")


@pytest.mark.parametrize("before", ["'", "''", "~", "!", "=", "='", "*'", "-", ".", "x='"])
def test_an_address_in_quotes_is_masked(before: str) -> None:
    assert mask_people(f"to {before}anna@example.com' today") == f"to {before}a***@example.com' today"


def test_json_is_masked_in_its_values_and_keeps_its_shape() -> None:
    value = {"to": ["a.b@example.com"], "phone": 79161234567, "id": 31926521, "ok": True, "none": None, "sum": 1.5}
    assert mask_people_in_json(value) == {
        "to": ["a***@example.com"], "phone": "7***4567", "id": 31926521, "ok": True, "none": None, "sum": 1.5,
    }  # fmt: skip


def test_json_is_masked_in_its_keys_and_loses_none() -> None:
    value = {"+375 29 123-45-67": 1, "+375 29 888-45-67": {"anna@example.com": 2}, "id": 31926521}
    assert mask_people_in_json(value) == {"+3***4567": 1, "+3***4567'": {"a***@example.com": 2}, "id": 31926521}


def test_json_is_masked_by_the_names_of_its_fields() -> None:
    value = {"phone": 291234567, "workPhone": "29 1234567", "phones": ["2912345678"], "fields[phone]": "291234567",
             "phone_id": 291234567, "hotel": 291234567, "order": 291234567, "mobile": "call me 12:30"}  # fmt: skip
    assert mask_people_in_json(value) == {
        "phone": "2***4567", "workPhone": "2***4567", "phones": ["2***5678"], "fields[phone]": "2***4567",
        "phone_id": 291234567, "hotel": 291234567, "order": 291234567, "mobile": "call me 12:30",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+79161234567", "+7***4567"),
        ("8 (916) 123-45-67", "8***4567"),
        ("2125550123", "2***0123"),
        ("12345", "***"),
        ("Anna's", "***"),
        ("", "***"),
    ],
)
def test_what_is_meant_as_a_number_is_masked_whatever_it_looks_like(number: str, masked: str) -> None:
    assert mask_phone(number) == masked


@pytest.mark.parametrize(
    ("known", "text", "masked"),
    [
        ("+12125550123", "no credit for 12125550123", "no credit for 1***0123"),
        ("2125550123", "phone=2125550123", "phone=2***0123"),
        ("+12125550123", "phone=%2B12125550123", "phone=+1***0123"),
        ("anna!ivanova@example.com", "to anna!ivanova@example.com", "to a***@example.com"),
        ("", "to nobody", "to nobody"),
    ],
)
def test_who_is_known_is_masked_in_every_spelling(known: str, text: str, masked: str) -> None:
    assert mask_people(text, (known,)) == masked
