"""The scalars of the YAML: written for people, kept as numbers and texts. Their errors say what would be right."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from relay.config.findings import format_value
from relay.config.proxy import PROXY_EXAMPLE, Proxy, ProxyChoice, parse_proxy
from relay.durations import format_exact_duration, parse_duration, parse_rate
from relay.timezones import suggest_timezone

_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9_])?)*", re.ASCII
)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s*%", re.ASCII)
_SIZE = re.compile(r"(\d{1,9})\s*(B|KiB|MiB)?", re.ASCII)
_SIZE_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024, None: 1}


def format_rate(rate: tuple[int, int]) -> str:
    """Return a rate as the YAML writes it."""
    count, per_ms = rate
    return f"{count}/{format_exact_duration(per_ms)}"


def parse_trusted_host(value: object) -> IPv4Network | IPv6Network | str:
    """Parse a network ("10.1.0.0/16", "127.0.0.1") or the name of a host. Raises ValueError."""
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


def _parse_size(value: object) -> int:
    found = _SIZE.fullmatch(str(value).strip())
    if isinstance(value, bool) or not found:
        raise ValueError(f"{format_value(value)} is not a size: write a whole number and B, KiB or MiB, such as 1MiB")
    return int(found[1]) * _SIZE_UNITS[found[2]]


def _parse_share(value: object) -> float:
    if isinstance(value, float) and not isinstance(value, bool) and 0 <= value <= 1:
        raise ValueError(f"{value} is written as a percentage here: write {value * 100:g}%")
    found = _SHARE.fullmatch(str(value).strip())
    if isinstance(value, bool) or not found or float(found[1]) > 100:
        raise ValueError(f"{format_value(value)} is not a share: write a percentage up to 100%, such as 50%")
    return float(found[1]) / 100


def _check_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # OSError: a folder of zones, such as Europe
        raise ValueError(f"{format_value(name)} is not a time zone, {suggest_timezone(name)}") from error
    return name


def _int_to_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _read_proxy(value: object) -> ProxyChoice:
    if value is False or isinstance(value, Proxy):
        return value
    if not isinstance(value, str):
        raise ValueError(f"write the proxy's address, {PROXY_EXAMPLE}, or false for none")
    return parse_proxy(value)


def one_or_many(value: object) -> Any:
    """Return a list of what may be written as one value or as a list."""
    return value if isinstance(value, list) else [value]


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_exact_duration),
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

Size: TypeAlias = Annotated[
    int, BeforeValidator(_parse_size), WithJsonSchema({"type": "string", "pattern": r"^\d+\s*(B|KiB|MiB)?$"})
]
"""Bytes, written "512", "64KiB", "1MiB"."""

Share: TypeAlias = Annotated[
    float,
    BeforeValidator(_parse_share),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,3}(\.\d{1,3})?\s*%$", "examples": ["50%"]}),
]
"""A part of a whole, from 0 to 1, written "50%"."""

TrustedHost: TypeAlias = Annotated[
    IPv4Network | IPv6Network | str,
    BeforeValidator(parse_trusted_host),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["127.0.0.1/32", "app.internal"]}),
]
"""A network, or the name of a host."""

Timezone: TypeAlias = Annotated[str, AfterValidator(_check_timezone)]
"""The name of a time zone, such as Europe/Moscow."""

IdText: TypeAlias = Annotated[str, BeforeValidator(_int_to_text), WithJsonSchema({"type": ["string", "integer"]})]
"""A text that may be written as a number: amoCRM's ids are texts on the wire."""

NameList: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(one_or_many),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""Names, written as a list, or one of them alone."""

ProxySetting: TypeAlias = Annotated[
    ProxyChoice,
    PlainValidator(_read_proxy),
    WithJsonSchema({"anyOf": [{"type": "string", "examples": [PROXY_EXAMPLE]}, {"const": False}]}),
]
"""`http://proxy.example.com:3128`, with `user:password@` where it wants them; false: none."""
