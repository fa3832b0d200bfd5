"""The scalars of the YAML: written for people, kept as numbers. Their errors say what would be right."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from relay.retrying import format_duration, parse_duration, parse_rate


def format_rate(rate: tuple[int, int]) -> str:
    """Write a rate as the YAML does."""
    count, per_ms = rate
    return f"{count}/{format_duration(per_ms)}"


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(ms|s|m|h|d)$", "examples": ["250ms", "15s", "1h"]}),
]
"""Milliseconds, written "250ms", "15s", "15m", "1h", "2d"."""

Rate = Annotated[
    tuple[int, int],
    BeforeValidator(parse_rate),
    PlainSerializer(format_rate),
    WithJsonSchema({"type": "string", "pattern": r"^\d+/\d*(ms|s|m|h|d)$", "examples": ["4/s", "15/3s", "300/1m"]}),
]
"""(count, per milliseconds), written "4/s", "15/3s", "300/1m"."""

_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9_])?)*", re.ASCII
)


def parse_trusted_host(value: object) -> IPv4Network | IPv6Network | str:
    """Read a network ("10.1.0.0/16", "127.0.0.1") or a host's name. Raise ValueError saying what would be right."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    text = str(value).strip().lower().rstrip(".")
    try:
        return ip_network(text)
    except ValueError as error:
        if "/" in text or ":" in text or text.replace(".", "").isdigit():
            raise ValueError(f"{text!r} is not a network ({error}): write it as 10.1.0.0/16 or 127.0.0.1") from None
    if not _HOST.fullmatch(text):
        raise ValueError(f"{text!r} is neither a network nor a host's name: 10.1.0.0/16, 127.0.0.1, app.internal")
    return text


TrustedHost: TypeAlias = Annotated[
    IPv4Network | IPv6Network | str,
    BeforeValidator(parse_trusted_host),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["127.0.0.1/32", "app.internal"]}),
]
"""A network, or the name of a host."""
