"""Parsing phone numbers: E.164, of a mobile phone, in one of the sink's regions."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from relay.errors import RejectDelivery, SkipDelivery
from relay.masking import mask_phone

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

DEFAULT_REGIONS: Final = ("RU", "KZ", "BY")
_NUMBER = re.compile(r"(?:tel:)?\s*(\+?[0-9\s().\u2010-\u2015-]+)", re.ASCII | re.IGNORECASE)
_SPACES = re.compile(r"[\u00a0\u2007\u202f]")  # word processors write them between the digits


def parse_phone(value: object, regions: Sequence[str] = DEFAULT_REGIONS) -> str:
    """Return a number as E.164 from the way people write it: `8 (916) 123-45-67` becomes `+79161234567`.

    Without a + it is tried as a national number of each region in turn. Raises SkipDelivery where nobody can be
    reached (no number, a landline, toll-free), RejectDelivery where it is no number of these regions: `+8495…` is a
    valid mobile number of Vietnam, and certainly a mistake. The messages show the number masked.
    """
    text = _SPACES.sub(" ", "" if value is None else str(value)).strip()
    if not text:
        raise SkipDelivery("phone: there is no number")
    names = ", ".join(regions)
    match = _NUMBER.fullmatch(text)
    numbers = _valid_numbers(match[1], regions) if match else {}
    for region, number in numbers.items():
        if region in regions:
            return _mobile(number)
    for region in numbers:
        raise RejectDelivery(f"phone: {mask_phone(text)} is a number of {region}, and the sink's regions are {names}")
    raise RejectDelivery(f"phone: {mask_phone(text)} is no number of {names}")


def _valid_numbers(text: str, regions: Sequence[str]) -> "dict[str, PhoneNumber]":
    """Return every valid reading of a number, by its region."""
    import phonenumbers  # loads 48 MB of numbering plans: only sinks for texts need them

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
    e164 = format_number(number, PhoneNumberFormat.E164)
    if kind not in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE):
        name = PhoneNumberType.to_string(kind).lower().replace("_", " ").replace("fixed line", "landline")
        raise SkipDelivery(f"phone: {mask_phone(e164)} is a {name} number, which receives no texts")
    return e164
