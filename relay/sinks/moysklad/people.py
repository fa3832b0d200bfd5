"""Finding a counterparty by phone or e-mail, however it is written there. Pure.

MoySklad compares texts as they are, and people write one number in many ways. So a search asks for what all of them
share (a phone's last two digits stand together in any), and what it finds is compared in one spelling.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

from relay.model import Json
from relay.sinks.http.requests import RequestParts
from relay.sinks.http.settings import LookupSettings
from relay.sinks.json_paths import text_at, values_at
from relay.sinks.urls import encode_pairs

PAGE: Final = 100
MOST_FOUND: Final = 2000
"""Of one search: with a hundredth of all phones, it is a base of some 200,000."""

_SHORTEST, _WITH_COUNTRY = 7, 11  # digits of a phone
_NUMBER = re.compile(r"\+?\(?\d[\d\s().\u2010-\u2015\u2212\u00ad/-]*")
_NOT_DIGITS = re.compile(r"\D")


class PersonSearch(LookupSettings):
    """Look a counterparty up by the phone or the e-mail that a delivery gives."""

    path: str = "/entity/counterparty"
    id_path: str = "rows.*.meta"
    field: Literal["phone", "email"]

    @property
    def referring(self) -> list[Json]:
        """Return what a delivery must have for it."""
        return [f"<{self.field}>"]

    def filters(self, value: str) -> Sequence[str]:
        """Return the filters to try in turn, until one finds somebody."""
        return _phone_filters(value) if self.field == "phone" else _email_filters(value)

    def request(self, filter: str, offset: int) -> RequestParts:
        """Return the request of a page."""
        query = {"filter": filter, "limit": str(PAGE), "offset": str(offset)}
        return RequestParts(method="GET", path=self.path, query=encode_pairs("query", query), body=b"")

    def matching(self, rows: Sequence[Json], value: str) -> list[Json]:
        """Return the references (`meta`) of those counterparties of a page whose phone or e-mail is meant."""
        spelling = phone_digits if self.field == "phone" else _spell_email
        wanted = spelling(value)
        return [meta for row in rows for meta in values_at(row, "meta") if spelling(text_at(row, self.field)) == wanted]


def canonical_phone(text: str) -> str:
    """Return a number as `+79161234567`; as it is written where it is none, has more to it, or no known country."""
    digits = phone_digits(text)
    known = len(digits) >= _WITH_COUNTRY or (text.strip().startswith("+") and len(digits) >= _SHORTEST)
    return f"+{digits}" if known and _NUMBER.fullmatch(text.strip()) else text.strip()


def phone_digits(text: str) -> str:
    """Return the first number in a text as digits with its country's code, where that is known; "" without one.

    `8 (916) 123-45-67`, `916 1234567` and `+7 916 123 45 67` are Russia's or Kazakhstan's, `80 29 …` is of Belarus,
    `067 …` of Ukraine.
    """
    found = _NUMBER.search(text)
    digits = _NOT_DIGITS.sub("", found[0]) if found else ""
    if found and (found[0].startswith("+") or digits.startswith("00")):
        return digits.removeprefix("00")
    match len(digits), digits[:1]:
        case 11, "8":
            return f"375{digits[2:]}" if digits.startswith("80") else f"7{digits[1:]}"
        case 10, "0":
            return f"38{digits}"
        case 10, _:
            return f"7{digits}"
    return digits


def _phone_filters(value: str) -> Sequence[str]:
    digits = phone_digits(value)
    return [f"phone=~{digits[-2:]}"] if len(digits) >= _SHORTEST else [f"phone={value}"]


def _spell_email(text: str) -> str:
    return text.strip().lower()


def _email_filters(value: str) -> Sequence[str]:
    """Find it also where a telephone's keyboard began it, or its domain, with a capital, or all of it is capitals."""
    name, at, domain = _spell_email(value).rpartition("@")
    end = name[1:] or name
    spellings = (f"{end}{at}{domain}", f"{end}{at}{domain.capitalize()}", value.strip().upper())
    return [f"email~{spelling}" for spelling in dict.fromkeys(spellings)]
