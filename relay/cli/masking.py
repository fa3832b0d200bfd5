"""Hide what belongs to a person, e-mail addresses and phone numbers, wherever they stand in a text (pure)."""

import re

from relay.model import Json

_EMAIL = re.compile(r"(?<![\w.+-])([\w+])[\w.+-]*@([\w-]+(?:\.[\w-]+)+)")
_BETWEEN = r"[\s().-]{0,2}"
_PHONE = re.compile(
    rf"(?<![\w+-])(?:\+\d(?:{_BETWEEN}\d){{8,13}}|[78](?:{_BETWEEN}\d){{10}})(?![\w-])"
)  # with a plus any country's; without it Russia's and Kazakhstan's, whose 11 digits no id and no time has


def mask(text: str) -> str:
    """Mask the addresses and numbers in a text; enough is left to tell one from another."""
    return _PHONE.sub(_phone, _EMAIL.sub(r"\1***@\2", text))


def _phone(found: re.Match[str]) -> str:
    number = found[0]
    return f"{number[:2]}***{number[-2:]}"


def masked(value: Json) -> Json:
    """Mask every text, and every number that is a phone's, within a JSON value."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return value if mask(str(value)) == str(value) else mask(str(value))
    return value
