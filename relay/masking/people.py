"""Mask e-mail addresses, telephone numbers and names that are known, as people, programs and URLs write them.

Numbers are found by a pattern: `phonenumbers.PhoneNumberMatcher` takes 20 times as long, loads 48 MB of numbering plans
and reads the national spellings of one country at a time. Its plans check the pattern in the tests.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Final
from urllib.parse import quote

from relay.masking.names import add_names, mask_names
from relay.masking.secrets import MASK
from relay.model import Json

_FEWEST_DIGITS = 7  # of a telephone number: of fewer, the last four would be most of it

# A search begins at the first of the characters that an address may have, and at no other: no text takes long.
_EMAIL = re.compile(r"(?<![\w.+%'!~-])(?:([.'!~-]+)|(?<!\*))([\w+%])[\w.+%'!~-]*(@|%40)((?:[\w-]+\.)+[^\W\d_][\w-]+)")
_ESCAPE = re.compile(r"%[\dA-Fa-f]{2}", re.ASCII)

# What a field is called that holds a number, however that is written: `phone=`, `"contact[phone_number]": "`.
_NAME = r"(?:phones?|mobile|msisdn|(?<![^\W_])tel|телефон)(?:[ _-]?(?:number|num|no))?"
_NAMED_NUMBER = re.compile(r"(?:[+(\d]|%2B|%28)(?:[\d ()+.-]|%20|%28|%29|%2B){5,}\d(?!\.*\d|:)", re.IGNORECASE)
_NAMED = re.compile(
    rf"({_NAME}(?:[\[\]]|%5B|%5D|\\?[\"'])*\s*(?:[=:]|%3D)[\s\[\\\"']*)"
    rf"({_NAMED_NUMBER.pattern}(?:[\\\"'\s]*[,;][\\\"'\s]*{_NAMED_NUMBER.pattern})*)",
    re.IGNORECASE,
)
_FIELD = re.compile(rf"(?:^|[\W_]|(?<=[a-z])(?=[A-Z]))(?:{_NAME})[\W_\d]*$", re.IGNORECASE)
_ONLY_A_NUMBER = re.compile(r"\s*[+(]?(?:[ ().-]*\d){7,15}\s*", re.ASCII)
_NAME_SIGNS = ("phone", "mobile", "msisdn", "tel", "телефон")

# Characters that stand for others: encoded (twice) in queries, escaped in JSON and HTML, wide, hard spaces and dashes.
_WRITTEN_OTHERWISE = re.compile(
    r"(?P<plus>%(?:25)*2B|\\u002B|&#43;|＋)|(?P<at>%(?:25)+40|\\u0040|&#64;|＠)"
    r"|(?P<open>%(?:25)*28|\\u0028)|(?P<close>%(?:25)*29|\\u0029)"
    r"|(?P<space>%(?:25)*20|%(?:25)*C2%(?:25)*A0|\\u00A0|[\u00a0\u2007\u2009\u202f]|(?<=[\d)])\+(?=[\d(]))"
    r"|(?P<dash>%(?:25)*E2%(?:25)*80%(?:25)*9[0-5]|\\u201[0-5])",
    re.IGNORECASE,
)
_OTHERWISE_SIGN = re.compile(r"[%+＋＠\u00a0\u2007\u2009\u202f]|\\u|&#")
_ANY_SIGN = re.compile(
    r"[\d@＠%&\\]"
)  # of a number or an address, however it is written: a text without any names nobody
_PLAIN: Final = {"plus": "+", "at": "@", "open": "(", "close": ")", "space": " ", "dash": "-"}

_SPACES = r" \t\u00a0\u2007\u2009\u202f"
_DASHES = r"\u2010-\u2015-"
# All that a number may be in: most texts have no such run, and are done with. `%20`, `%28`, `%29`, `%2B` are in it.
_RUN = re.compile(
    rf"[+%(\d](?:(?<![A-Za-z\d*%].)|(?<=%[\dA-Fa-f]{{2}}.)|(?<=\+))[{_SPACES}\dBb%+()./{_DASHES}]{{7,}}(?![A-Za-z]|:\d)",
    re.ASCII,
)
_GAP = rf"(?:[{_SPACES}+().{_DASHES}]|%20|%28|%29){{0,3}}"  # between two digits
_START = r"(?:(?<![\d%Bb])(?<!\d[.-])|(?<=%2[\dBb]))"  # within no id, and behind no other group of digits
_NO_UUID = r"(?<!-)"
_NO_AMOUNT = (  # 81 234 567 890 and 7500000000.50; 81.123.234.210 is an address of the internet
    rf"(?!\d\d(?P<gap>[{_SPACES}.])\d{{3}}(?P=gap)\d{{3}}(?P=gap)\d{{3}}(?!\d))(?!\d+\.\d+(?!{_GAP}\d))"
)
_END = r"(?![\dBb]|\.\d)"
_SPELLINGS: Final = (
    # Any country's, with its plus.
    rf"(?:\+|%2[Bb]){_GAP}(?:[17](?:{_GAP}\d){{10}}|[1-9](?:{_GAP}\d){{8,14}})(?!\d)",
    # 8 (916) 123-45-67, 79161234567, 8 029 123-45-67: no time begins like these, and no id is as long.
    rf"{_START}{_NO_AMOUNT}[78](?={_GAP}(?:[3-9]|0[1-4]))(?:{_GAP}\d){{10}}{_END}",
    # Belarus's, other neighbours', and German mobiles, without their plus.
    rf"{_START}{_NO_UUID}(?:375{_GAP}(?:17|25|29|33|44)(?:{_GAP}\d){{7}}|(?:380|99[2-68])\d{{9}}|491[5-7]\d{{8,9}}){_END}",
    # With 00 for the plus.
    rf"{_START}{_NO_UUID}00{_GAP}(?:7|375|380|49|44|99[2-68])(?:{_GAP}\d){{8,12}}{_END}",
    # 0151 23456789, (030) 901820, 020 7183 8750, 029 123-45-67; 1 029 123 450 is an amount.
    rf"{_START}{_NO_UUID}(?<!\d )(?:01[5-7]\d{{8,9}}"
    rf"|(?:\(0[1-9]\d{{1,3}}\) ?[/-]?|0[1-9]\d{{1,3}}(?: ?[/-]| )) ?\d(?:[ -]?\d){{4,8}}){_END}",
    # (916) 123-45-67, 29 123-45-67, 916 123 45 67.
    rf"{_START}{_NO_UUID}(?:\(\d{{2,5}}\) ?\d{{1,3}}[ -]\d\d[ -]\d\d|\d{{2,5}}[ -]\d{{3}}-\d\d-\d\d"
    rf"|9\d\d \d{{3}} \d\d \d\d){_END}",
    # (212) 555-0123, 1-212-555-0123, 212.555.0123.
    rf"{_START}{_NO_UUID}(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])[2-9]\d\d[ .-]\d{{4}}{_END}",
)


@cache
def _phone() -> re.Pattern[str]:
    """Return the pattern of a number in any spelling, made for the first run of digits: that takes milliseconds."""
    return re.compile("|".join(_SPELLINGS), re.ASCII)


def mask_people(text: str, known: Iterable[str] = ()) -> str:
    """Mask the e-mail addresses, telephone numbers and known names in a text: `a***@example.com`, `+7***4567`, `A***`.

    `known` are some that may stand there in a spelling that only who knows them recognises, such as bare digits.
    """
    return mask_names(_mask_contact_details(text, known))


def _mask_contact_details(text: str, known: Iterable[str]) -> str:
    for datum in known:
        text = _mask_known(text, datum)
    if not _ANY_SIGN.search(text):
        return text
    text = _mask_plain(text)
    if not _OTHERWISE_SIGN.search(text):
        return text
    plain = _WRITTEN_OTHERWISE.sub(lambda found: _PLAIN[found.lastgroup or ""], text)
    if plain == text:
        return text
    masked = _mask_plain(plain)
    return text if masked == plain else masked  # what names nobody is left as it is written


def find_people(text: str) -> Iterator[str]:
    """Yield the e-mail addresses and telephone numbers in a text, as they are written."""
    plain = _WRITTEN_OTHERWISE.sub(lambda found: _PLAIN[found.lastgroup or ""], text)
    for address in _EMAIL.finditer(plain):
        yield plain[address.start(2) : address.end()].replace("%40", "@")
    for field in _NAMED.finditer(plain):
        yield from (number[0] for number in _NAMED_NUMBER.finditer(field[2]))
    for run in _RUN.finditer(plain):
        yield from (number[0] for number in _phone().finditer(plain, run.start(), run.end()))


def _mask_plain(text: str) -> str:
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(rf"\1\2{MASK}\3\4", text)
    lower = text.lower()
    for sign in _NAME_SIGNS:
        if sign in lower:
            text = _NAMED.sub(_mask_named, text)
            break
    return _RUN.sub(_mask_phones, text)


def _mask_named(field: re.Match[str]) -> str:
    return field[1] + _NAMED_NUMBER.sub(lambda number: mask_phone(number[0]), field[2])


def mask_people_in_json(value: Json, field: str = "") -> Json:
    """Mask every text, every key, and every number that is a telephone's, within a JSON value.

    `field` is what the value is called: by that some numbers are known as telephones', as names are by theirs.
    """
    add_names(value)
    return _mask_json(value, field)


def _mask_json(value: Json, field: str) -> Json:
    if isinstance(value, dict):
        return _mask_object(value)
    if isinstance(value, list | tuple):
        return [_mask_json(item, field) for item in value]
    if isinstance(value, str):
        return _mask_value(value, field)
    if isinstance(value, int) and not isinstance(value, bool):
        masked = _mask_value(str(value), field)
        return value if masked == str(value) else masked
    return value


def _mask_object(value: Mapping[str, Json]) -> Json:
    masked: dict[str, Json] = {}
    for key, item in value.items():
        name = mask_people(key)
        while name in masked:  # two people may look alike
            name += "'"
        masked[name] = _mask_json(item, key)
    return masked


def _mask_value(text: str, field: str) -> str:
    masked = mask_people(text)
    if masked == text and _FIELD.search(field) and _ONLY_A_NUMBER.fullmatch(text):
        return mask_phone(text)
    return masked


def mask_phone(number: str) -> str:
    """Mask a text that is a telephone number, or was meant as one: `+7***4567`, `8***4567`."""
    plain = _ESCAPE.sub(lambda escape: "+" if escape[0].upper() == "%2B" else " ", number).lstrip(" (")
    digits = re.sub(r"[^0-9]", "", plain)
    if len(digits) < _FEWEST_DIGITS:
        return MASK
    return f"{'+' if plain.startswith('+') else ''}{digits[0]}{MASK}{digits[-4:]}"


def _mask_phones(run: re.Match[str]) -> str:
    text, at, parts = run.string, run.start(), []
    for number in _phone().finditer(text, at, run.end()):  # sees what stands before the run, too
        parts += [text[at : number.start()], mask_phone(number[0])]
        at = number.end()
    return "".join([*parts, text[at : run.end()]])


def _mask_known(text: str, datum: str) -> str:
    local, at, domain = datum.partition("@")
    masked = f"{local[:1]}{MASK}@{domain}" if at else mask_phone(datum)
    forms = {datum: masked, quote(datum, safe=""): masked, datum.removeprefix("+"): masked.removeprefix("+")}
    for form, mask in forms.items():
        if form:
            text = text.replace(form, mask)
    return text
