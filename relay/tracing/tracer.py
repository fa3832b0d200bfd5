"""Trace what becomes of a hook: from its arrival over its routing to each attempt, in whatever process and hour.

What is here does nothing but hand on what a trace goes on from. `relay.tracing.opened` makes the tracer that records.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

Attributes: TypeAlias = Mapping[str, str | int | bool]
"""What is known of a span. No texts that people wrote, no addresses, no bodies, no secrets: names, ids, numbers."""
SpanKind: TypeAlias = Literal["server", "internal", "client"]


class Span:
    """A part of a trace. `trace`: what goes on from it, as W3C's `traceparent`; empty where nothing is recorded."""

    def __init__(self, trace: str = "") -> None:
        self.trace = trace

    def end(self, attributes: Attributes, *, failed: bool = False) -> None:
        """End it, with what is known of it by now."""


UNTRACED = Span()


class Tracer:
    """Records nothing. A trace that another process began is handed on."""

    records = False
    """Whether spans are recorded: else nobody needs to begin any."""

    def start_trace(self, _name: str, _parent: str, _since: float) -> Span:
        """Begin the first span of the relay's own. `parent`: a `traceparent` as it came, or empty.

        `since`: when it began, monotonic seconds.
        """
        return UNTRACED

    def start(self, _name: str, parent: str, _kind: SpanKind) -> Span:
        """Begin a span that goes on from another one; where that was not recorded, neither is this."""
        return Span(parent)

    def close(self) -> None:
        """Send what is left, as far as that is possible within two seconds."""
