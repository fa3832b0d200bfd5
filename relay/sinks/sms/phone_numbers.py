"""Phone numbers as gateways want them: E.164, of a mobile, in a region that this sink is for."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from relay.errors import RejectDelivery, SkipDelivery

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

DEFAULT_REGIONS: Final = ("RU", "KZ", "BY")
_NUMBER = re.compile(r"(?:tel:)?\s*(\+?[0-9\s().\u2010-\u2015-]+)", re.ASCII | re.IGNORECASE)
_SPACES = re.compile(r"[\u00a0\u2007\u202f]")  # what word processors put between the groups


def e164(given: object, regions: Sequence[str] = DEFAULT_REGIONS) -> str:
    """Read a number as people write it: `8 (916) 123-45-67` becomes `+79161234567`.

    Without a + it is tried as a national number of each region in turn. Raises SkipDelivery where nobody can be
    reached (no number, a landline, toll-free), RejectDelivery where it is no number of these regions: `+8495…` is a
    valid mobile of Vietnam, and certainly a mistake. The messages show the number masked.
    """
    text = _SPACES.sub(" ", "" if given is None else str(given)).strip()
    if not text:
        raise SkipDelivery("phone: there is no number")
    named = ", ".join(regions)
    found = _NUMBER.fullmatch(text)
    numbers = _valid(found[1], regions) if found else {}
    for region, number in numbers.items():
        if region in regions:
            return _mobile(number)
    for region in numbers:
        raise RejectDelivery(f"phone: {masked(text)} is a number of {region}, and the sink's regions are {named}")
    raise RejectDelivery(f"phone: {masked(text)} is no number of {named}")


def _valid(text: str, regions: Sequence[str]) -> "dict[str, PhoneNumber]":
    """Read it in every way that gives a valid number: region -> number."""
    import phonenumbers  # 48 MB of numbering plans: only who sends to phones loads them

    numbers: dict[str, PhoneNumber] = {}
    for region in (None,) if text.startswith("+") else regions:
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            numbers.setdefault(phonenumbers.region_code_for_number(number) or "no region", number)
    return numbers


def _mobile(number: "PhoneNumber") -> str:
    from phonenumbers import PhoneNumberFormat, PhoneNumberType, format_number, number_type

    kind = number_type(number)
    written = format_number(number, PhoneNumberFormat.E164)
    if kind not in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE):
        named = PhoneNumberType.to_string(kind).lower().replace("_", " ").replace("fixed line", "landline")
        raise SkipDelivery(f"phone: {masked(written)} is a {named} number, which receives no texts")
    return written


def masked(number: str) -> str:
    """Show a number so that its owner's colleagues recognise it and nobody can call it: `+7***4567`."""
    digits = re.sub(r"[^0-9]", "", number)
    if len(digits) < 7:
        return "***"
    return f"{'+' + digits[0] if number.lstrip().startswith('+') else ''}***{digits[-4:]}"
