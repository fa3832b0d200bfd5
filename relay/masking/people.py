"""Mask e-mail addresses and telephone numbers, as people, programs and URLs write them.

Numbers are found by a pattern: `phonenumbers.PhoneNumberMatcher` takes 20 times as long, loads 48 MB of numbering plans
and reads the national spellings of one country at a time. Its plans check the pattern in the tests.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from relay.masking.secrets import MASK
from relay.model import Json

_FEWEST_DIGITS = 7  # of a telephone number: of fewer, the last four would be most of it

_EMAIL = re.compile(r"(?<![\w.+%*-])([\w+%])[\w.+%-]*(@|%40)((?:[\w-]+\.)+[^\W\d_][\w-]+)")
_ESCAPE = re.compile(r"%[\dA-Fa-f]{2}", re.ASCII)

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
_PHONE = re.compile("|".join(_SPELLINGS), re.ASCII)


def mask_people(text: str, known: Iterable[str] = ()) -> str:
    """Mask the e-mail addresses and telephone numbers in a text: `a***@example.com`, `+7***4567`.

    `known` are some that may stand there in a spelling that only who knows them recognises, such as bare digits.
    """
    for datum in known:
        text = _mask_known(text, datum)
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(rf"\1{MASK}\2\3", text)
    return _RUN.sub(_mask_phones, text)


def mask_people_in_json(value: Json) -> Json:
    """Mask every text, and every number that is a telephone's, within a JSON value."""
    if isinstance(value, str):
        return mask_people(value)
    if isinstance(value, dict):
        return {key: mask_people_in_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_people_in_json(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        written = str(value)
        masked = mask_people(written)
        return value if masked == written else masked
    return value


def mask_phone(number: str) -> str:
    """Mask a text that is a telephone number, or was meant as one: `+7***4567`, `8***4567`."""
    plain = _ESCAPE.sub(lambda escape: "+" if escape[0].upper() == "%2B" else " ", number).lstrip(" (")
    digits = re.sub(r"[^0-9]", "", plain)
    if len(digits) < _FEWEST_DIGITS:
        return MASK
    return f"{'+' if plain.startswith('+') else ''}{digits[0]}{MASK}{digits[-4:]}"


def _mask_phones(run: re.Match[str]) -> str:
    text, at, parts = run.string, run.start(), []
    for number in _PHONE.finditer(text, at, run.end()):  # sees what stands before the run, too
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
