"""What a body may cost, and how an error says that it is over that."""

from urllib.parse import unquote

from relay.errors import Malformed
from relay.model import Record

_SHOWN = 60  # characters of a key that an error shows


class BodyLimits(Record):
    """What a body may cost. Beyond any of them it is Malformed; amoCRM's largest seen is 7 KB, 8 levels deep."""

    size: int = 1 << 20  # bytes
    fields: int = 10_000
    depth: int = 16  # keys on the way to a value
    key_length: int = 512  # characters as sent, percent signs and all


DEFAULT_LIMITS = BodyLimits()


def check_size(body: bytes, limits: BodyLimits) -> None:
    """Raise Malformed where a body is larger."""
    if len(body) > limits.size:
        raise Malformed(f"body: {describe_excess(len(body), limits.size, 'bytes')}")


def quote_key(key: str) -> str:
    """Return the beginning of a key as an error shows it."""
    return repr(unquote(key, errors="replace")[:_SHOWN])


def describe_excess(seen: int, limit: int, unit: str) -> str:
    """Return how much there was, and how much there may be."""
    return f"{seen:,} {unit}, at most {limit:,}"
