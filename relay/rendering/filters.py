"""The project's own filters: they write amoCRM's values for people and for machines.

amoCRM sends texts, so every filter reads texts. Of an empty value a filter returns a missing one, and a missing one it
returns unchanged: `| default('…')`, `| omit` and `or` after it see that, and without them its use is an error.
"""

import html
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from decimal import Context as Precision
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import pass_context
from jinja2.runtime import Context

from relay.errors import RejectDelivery
from relay.masking import mask_phone
from relay.rendering.values import (
    MAX_TEXT,
    OMIT,
    EmptyValueError,
    Missing,
    NoRecipientError,
    OutputBudget,
    check_text_length,
    describe_value,
    to_json_value,
    to_text,
)
from relay.timezones import suggest_timezone

TABLES: Final = "the tables"  # the context variable that lookup reads; no template can spell it
_NO_BREAK = "\u00a0"
_PLACES = 6
_UNITS = [Decimal(1).scaleb(-places) for places in range(_PLACES + 1)]
_EXACT = Precision(prec=60)  # more digits than a plain number has: only what is meant to be rounded is
_whole_number = re.compile(r"[+-]?[0-9]+").fullmatch
_plain_number = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?").fullmatch


def money(value: object) -> object:
    """Write an amount for people: 1234567.5 -> "1 234 567,50", grouped by no-break spaces; whole ones have no ",00"."""
    amount = _number("money", value)
    if isinstance(amount, Missing):
        return amount
    rounded = _round(amount, 2)
    whole = rounded == rounded.to_integral_value()
    return f"{rounded:,.{0 if whole else 2}f}".replace(",", _NO_BREAK).replace(".", ",")


def decimal(value: object, places: int = 2) -> object:
    """Write an amount for machines: "1500" -> "1500.00", halves rounded up (away from zero)."""
    amount = _number("decimal", value)
    return amount if isinstance(amount, Missing) else f"{_round(amount, _check_places(places)):f}"


def minor(value: object, places: int = 2) -> object:
    """Count an amount in its smallest unit: "1500.50" -> 150050. What is finer than the unit is rejected."""
    amount = _number("minor", value)
    if isinstance(amount, Missing):
        return amount
    units = amount.scaleb(_check_places(places), _EXACT)
    if units != units.to_integral_value():
        raise RejectDelivery(f"minor counts {places} decimal places, saw {describe_value(value)}, which is finer")
    return int(units)


def to_int(value: object, default: object = None) -> object:
    """Return a whole number, without decimals: "42.9" -> 42. Of what is no number `default`, or it is rejected."""
    return _to_number("int", value, default, int)


def to_float(value: object, default: object = None) -> object:
    """Return a number: "42.5" -> 42.5. Of what is no number `default`, or it is rejected."""
    return _to_number("float", value, default, float)


def phone(value: object, region: str = "RU") -> object:
    """Write a phone number as E.164: "8 (916) 123-45-67" -> "+79161234567". Without one there is no recipient."""
    if isinstance(value, Missing):
        return value.as_recipient()
    if value is None or value == "":
        return Missing("the phone number is empty", exc=NoRecipientError)
    import phonenumbers  # 48 MB of numbering plans: loaded only where phone numbers are used

    seen = to_text(value)
    try:
        number = phonenumbers.parse(seen, region)
    except phonenumbers.NumberParseException as error:
        raise RejectDelivery(f"{mask_phone(seen)} is no phone number: {error}") from None
    if not phonenumbers.is_valid_number(number):
        raise RejectDelivery(f"{mask_phone(seen)} is no valid phone number (without a + it is read as one of {region})")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@pass_context
def date(context: Context, value: object, format: str = "%d.%m.%Y", timezone: str | None = None) -> object:
    """Write unix seconds (before 1970 negative) as a date, in `timezone`, else in the context's one, else in UTC."""
    if value is None or value == "":
        return Missing("date needs unix seconds, saw an empty value", exc=EmptyValueError)
    seen = to_text(value)
    if not _whole_number(seen):
        raise RejectDelivery(f"date needs unix seconds like 1700000000, saw {describe_value(value)}")
    try:
        return datetime.fromtimestamp(int(seen), find_timezone(timezone or context.get("timezone"))).strftime(format)
    except (OverflowError, OSError, ValueError) as error:
        raise RejectDelivery(f"date cannot write {describe_value(value)}: {error}") from None


def find_timezone(name: object) -> tzinfo:
    """Return the time zone of a name; without a name UTC. Raises ValueError."""
    if not name:
        return UTC
    try:
        return ZoneInfo(str(name))
    except (LookupError, OSError, ValueError):
        raise ValueError(f"{name!r} is not a time zone, {suggest_timezone(str(name))}") from None


@pass_context
def lookup(context: Context, value: object, table: str) -> object:
    """Return the entry of a table for a key, compared as text. Without one there is no recipient."""
    entries = context[TABLES].get(table)
    if entries is None:
        raise RejectDelivery(f"there is no table {table!r}")
    key = "" if value is None else to_text(value)
    found = entries.get(key)
    return Missing(f'table {table} has no entry for "{key}"', exc=NoRecipientError) if found is None else found


def default(value: object, default_value: object = "", boolean: bool = False) -> object:
    """Return another value if this one is missing, none or an empty text; with `boolean`, also if it is false."""
    return default_value if _is_absent(value) or (boolean and not value) else value


def omit(value: object) -> object:
    """Return OMIT if the value is missing, none or an empty text: its key or list element is left out."""
    return OMIT if _is_absent(value) else value


def as_json(value: object) -> str:
    """Write a value as compact JSON."""
    return json.dumps(to_json_value(value, OutputBudget(MAX_TEXT)), ensure_ascii=False, separators=(",", ":"))


def join(value: Iterable[object], d: str = "") -> str:
    """Join a list to a text."""
    separator, parts, size = to_text(d), [], 0
    for part in value:
        parts.append(to_text(part))
        size += len(parts[-1]) + len(separator)
        if size > MAX_TEXT:
            raise RejectDelivery("join makes too long a text")
    return separator.join(parts)


def replace(value: object, old: str, new: str) -> str:
    """Replace every occurrence of a text."""
    seen, before, after = to_text(value), to_text(old), to_text(new)
    if len(seen) + seen.count(before) * len(after) > MAX_TEXT:
        raise RejectDelivery("replace makes too long a text")
    return check_text_length(seen.replace(before, after))


def truncate(value: object, length: int = 255, killwords: bool = False, end: str = "...") -> str:
    """Cut a text to a length, its end mark included; between words unless `killwords`."""
    seen = to_text(value)
    if len(seen) <= length:
        return seen
    cut = seen[: max(length - len(end), 0)]
    return (cut if killwords else cut.rsplit(" ", 1)[0]) + end


def escape(value: object) -> str:
    """Write a text so that HTML shows it as it is."""
    return html.escape(to_text(value))


def _is_absent(value: object) -> bool:
    return value is None or isinstance(value, Missing) or value == ""


def _number(name: str, value: object) -> Decimal | Missing:
    if value is None or value == "":
        return Missing(f"{name} needs a number, saw an empty value", exc=EmptyValueError)
    spelled = str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
    if not _plain_number(spelled):
        raise RejectDelivery(f"{name} needs a number like 1500.50, saw {describe_value(value)}")
    return Decimal(spelled)


def _to_number(name: str, value: object, default: object, kind: type[int] | type[float]) -> object:
    try:
        number = _number(name, value)
    except RejectDelivery:
        if default is None:
            raise
        return default
    if isinstance(number, Missing):
        return number if default is None else default
    return kind(number)


def _round(amount: Decimal, places: int) -> Decimal:
    return amount.quantize(_UNITS[places], ROUND_HALF_UP, _EXACT)


def _check_places(places: int) -> int:
    if not isinstance(places, int) or not 0 <= places <= _PLACES:
        raise RejectDelivery(f"places goes from 0 to {_PLACES}, saw {describe_value(places)}")
    return places
