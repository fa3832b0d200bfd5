"""Read and write times as people do; inside the relay a time is epoch milliseconds. Pure."""

from collections.abc import Callable
from datetime import datetime

from relay.durations import parse_duration


def parse_time(text: str, now: int) -> int:
    """Return the time that "2h" (before `now`) or an ISO date or time means; local where it names no time zone.

    Raises ValueError with what would be right.
    """
    return _parse(text, lambda duration: now - duration, "ago")


def parse_end(text: str, now: int) -> int:
    """Return the time that "2h" (after `now`) or an ISO date or time means, as `parse_time`. Raises ValueError."""
    return _parse(text, lambda duration: now + duration, "from now")


def _parse(text: str, to_time: Callable[[int], int], meaning: str) -> int:
    try:
        return to_time(parse_duration(text))
    except ValueError:
        pass
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        raise ValueError(f"{text!r} is not a time: write 15m, 2h or 3d ({meaning}), or 2026-11-23T14:30") from None


def format_time(ms: int | None) -> str:
    """Format a time in the local time zone, with its offset, to the millisecond; None is empty."""
    if ms is None:
        return ""
    return datetime.fromtimestamp(ms / 1000).astimezone().isoformat(" ", "milliseconds")


def format_clock(ms: int) -> str:
    """Format the time of day in the local time zone, with its offset, to the second."""
    return datetime.fromtimestamp(ms / 1000).astimezone().timetz().isoformat("seconds")


def format_duration(ms: int) -> str:
    """Format a duration in its two largest units."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        if ms >= size:
            smaller, name = {"d": (3_600_000, "h"), "h": (60_000, "m"), "m": (1000, "s")}[unit]
            return f"{ms // size}{unit} {ms % size // smaller}{name}"
    return f"{ms / 1000:.1f}s" if ms >= 1000 else f"{ms}ms"
