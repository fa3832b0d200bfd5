"""Parsing the Retry-After header (RFC 9110, 10.2.3)."""

from datetime import UTC
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_MS = 24 * 3600 * 1000  # a mistake may say "next year": try again tomorrow


def parse_retry_after(value: str | None, now: int) -> int | None:
    """Return how many milliseconds to wait from `now` (epoch milliseconds), at most a day.

    The header has seconds or an HTTP date. None where it is absent or not readable. A date in the past is 0.
    """
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return min(int(value[:12]) * 1000, MAX_RETRY_AFTER_MS)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:  # "-0000" states no zone, and HTTP dates are always GMT
        date = date.replace(tzinfo=UTC)
    return min(max(int(date.timestamp() * 1000) - now, 0), MAX_RETRY_AFTER_MS)
