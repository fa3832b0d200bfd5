"""The scalars of the YAML: written for people, kept as numbers. Their errors say what would be right."""

from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from relay.retrying import parse_duration, parse_rate, show_duration


def show_rate(rate: tuple[int, int]) -> str:
    """Write a rate as the YAML does."""
    count, per_ms = rate
    return f"{count}/{show_duration(per_ms)}"


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(show_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(ms|s|m|h|d)$", "examples": ["250ms", "15s", "1h"]}),
]
"""Milliseconds, written "250ms", "15s", "15m", "1h", "2d"."""

Rate = Annotated[
    tuple[int, int],
    BeforeValidator(parse_rate),
    PlainSerializer(show_rate),
    WithJsonSchema({"type": "string", "pattern": r"^\d+/\d*(ms|s|m|h|d)$", "examples": ["4/s", "15/3s", "300/1m"]}),
]
"""(count, per milliseconds), written "4/s", "15/3s", "300/1m"."""
