"""Limits of a body, and how an error describes what exceeds them."""

from typing import Final
from urllib.parse import unquote

from relay.errors import Malformed
from relay.model import Record

MAX_BODY_SIZE: Final = 16 << 20
"""Bytes: the most that `ingress.max_body` may be set to. No body over it is decoded."""

_QUOTED_LENGTH = 60  # characters


class BodyLimits(Record):
    """Limits of a body; the largest seen from amoCRM has 7 KB and 8 levels. Of one that exceeds them what fits is read.

    Only a body over `size` is Malformed.
    """

    size: int = MAX_BODY_SIZE
    fields: int = 10_000
    depth: int = 16  # keys above a value, and its own
    key_length: int = 512  # characters as sent, percent signs and all


DEFAULT_LIMITS = BodyLimits()


def check_size(body: bytes, limits: BodyLimits) -> None:
    """Raise Malformed where a body exceeds the limit of its size."""
    if len(body) > limits.size:
        raise Malformed(f"body: {describe_excess(len(body), limits.size, 'bytes')}")


def quote_key(key: str) -> str:
    """Quote the beginning of a key, for an error."""
    return repr(unquote(key, errors="replace")[:_QUOTED_LENGTH])


def describe_excess(seen: int, limit: int, unit: str) -> str:
    """Return the number that was seen and its limit, for an error: "17 levels, at most 16"."""
    return f"{seen:,} {unit}, at most {limit:,}"


def describe_left_out(seen: int, limit: int, unit: str) -> str:
    """Return how many are over a limit, for a remark: "12 fields, at most 10: the last 2 are left out"."""
    return f"{describe_excess(seen, limit, unit)}: the last {seen - limit:,} are left out"
