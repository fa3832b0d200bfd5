"""Durations and rates as the YAML has them: "15m", "4/s"."""

import math
import re

_LONGEST_LIFETIME_SECONDS = 10 * 365 * 24 * 3600
UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_duration(text: object) -> int:
    """Return the milliseconds of "250ms", "5s", "15m", "1h" or "2d". Raises ValueError with what would be right."""
    found = re.fullmatch(r"(\d+)\s*([a-zA-Z]*)", str(text).strip(), re.ASCII)
    if isinstance(text, bool) or not found:
        raise ValueError(f"{text!r} is not a duration: write a whole number and ms, s, m, h or d, such as 15m")
    number, unit = found.groups()
    if not unit:
        raise ValueError(f"{text} has no unit: write {number}s, {number}m, {number}h, {number}d or {number}ms")
    if unit not in UNITS_MS:
        meant = _probable_unit(unit)
        advice = f"did you mean {number}{meant}?" if meant else "use ms, s, m, h or d"
        raise ValueError(f"{text}: the unit {unit} is not known, {advice}")
    return int(number) * UNITS_MS[unit]


def _probable_unit(unit: str) -> str | None:
    lowered = unit.lower()
    if lowered.startswith(("ms", "mil")):
        return "ms"
    return lowered[0] if lowered[0] in UNITS_MS else None


def parse_rate(text: object) -> tuple[int, int]:
    """Return (count, per milliseconds) of "4/s", "15/3s" or "300/1m". Raises ValueError with what would be right."""
    found = re.fullmatch(r"(\d+)\s*/\s*(\d*)\s*([a-zA-Z]+)", str(text).strip(), re.ASCII)
    if not found:
        raise ValueError(f"{text!r} is not a rate: write how many per how long, such as 4/s, 15/3s or 300/1m")
    count, per_ms = int(found[1]), parse_duration(f"{found[2] or 1}{found[3]}")
    if not count or not per_ms:
        raise ValueError(f"{text} would never let anything through: pause the sink instead")
    return count, per_ms


def format_exact_duration(ms: int) -> str:
    """Return milliseconds as `parse_duration` reads them, in the largest unit that is exact."""
    for unit in ("d", "h", "m", "s"):
        if ms and ms % UNITS_MS[unit] == 0:
            return f"{ms // UNITS_MS[unit]}{unit}"
    return f"{ms}ms"


def read_lifetime_ms(expires_in: object, unknown_ms: int) -> int:
    """Return for how many milliseconds a token lasts, by what its issuer says: seconds, as a number or a text.

    `unknown_ms` where it says nothing, no positive number, or more than ten years.
    """
    try:
        seconds = float(expires_in) if isinstance(expires_in, int | float | str) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    return int(seconds * 1000) if 0 < seconds <= _LONGEST_LIFETIME_SECONDS else unknown_ms
