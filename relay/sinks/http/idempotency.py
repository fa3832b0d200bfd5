"""What a vendor promises about a repetition, and what follows where a request may have been applied. Pure."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from relay.retrying import OnUnknown

Idempotency: TypeAlias = Literal["honoured", "lookup", "none"]
"""honoured: a repetition is recognised by its key, or does no harm. lookup: they can be asked. none: neither."""

REPEATABLE_METHODS: Final = frozenset({"GET", "PUT", "DELETE"})  # RFC 9110, 9.2.2

ACTIONS: Final[Mapping[Idempotency, OnUnknown]] = {"honoured": "retry", "lookup": "lookup", "none": "hold"}

NOT_SAID: Final = (
    "idempotency is missing, so what may have arrived is held for a person: write honoured if they recognise a"
    " repetition by its key, lookup if they can be asked, none if neither"
)

_CONTRADICTIONS: Final[Mapping[tuple[Idempotency, OnUnknown], str]] = {
    ("none", "retry"): (
        "none contradicts on_unknown: retry, which sends again what may then be applied twice:"
        " write honoured if that does no harm there, else on_unknown: hold"
    ),
    ("none", "lookup"): (
        "none contradicts on_unknown: lookup: write lookup if they can be asked, else on_unknown: hold"
    ),
    ("lookup", "retry"): (
        "lookup contradicts on_unknown: retry, which asks nobody:"
        " remove on_unknown, or write honoured if a repetition does no harm there"
    ),
}  # to hold contradicts no promise: it is the more careful


def contradiction(
    idempotency: Idempotency, on_unknown: OnUnknown | None, *, sends_key: bool, looks_up: bool
) -> str | None:
    """Return why the words of a sink cannot all be meant, and what would be right; None where they can."""
    if idempotency == "honoured" and not sends_key:
        return "honoured needs a key to recognise, and idempotency_key: false sends none: remove that, or write none"
    if on_unknown and (contradicts := _CONTRADICTIONS.get((idempotency, on_unknown))):
        return contradicts
    if idempotency == "lookup" and not looks_up:
        return "lookup needs to know how: add a lookup with its path, or write none"
    return None
