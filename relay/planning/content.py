"""Render what a route gives a sink, or say why it cannot be sent."""

from collections.abc import Mapping
from typing import ClassVar, Final, Protocol

from relay.errors import MissingValue, RejectDelivery, SkipDelivery
from relay.model import DeliveryState, Record
from relay.routing import Route

RENDER_ERRORS: Final = (SkipDelivery, MissingValue, RejectDelivery)
"""What templates and sinks raise where an event cannot be delivered."""


class ContentSink(Protocol):
    """The pure part of a sink: what planning needs of it."""

    name: str
    context_params: ClassVar[Mapping[str, str]]
    skip_if_missing: ClassVar[frozenset[str]]

    def content(self, params: Mapping[str, object], /) -> bytes:
        """Return the content to store."""


class RenderedContent(Record):
    """The content of a delivery and the state that it begins in, with the reason where that is an end."""

    content: bytes = b""
    state: DeliveryState = DeliveryState.PENDING
    reason: str = ""


def render_content(route: Route, sink: ContentSink, context: Mapping[str, object]) -> bytes:
    """Render the content of a delivery. Raises one of RENDER_ERRORS."""
    return sink.content(render_params(route, sink, context))


def render_params(route: Route, sink: ContentSink, context: Mapping[str, object]) -> Mapping[str, object]:
    """Render what the route gives the sink. Raises one of RENDER_ERRORS."""
    params = route.content.render(context)
    assert isinstance(params, Mapping)  # a route's content is a mapping of its sink's keys
    if not sink.context_params:
        return params
    return {**params, **{key: context[variable] for key, variable in sink.context_params.items()}}


def shadowed(content: RenderedContent) -> RenderedContent:
    """Return what is kept of a delivery that is never sent: its content, and what would become of it."""
    ends = {DeliveryState.SKIPPED: "it would be skipped: ", DeliveryState.DEAD: "it would be dead: "}
    reason = f"{ends[content.state]}{content.reason}" if content.state in ends else "its route is only tried out"
    return RenderedContent(content=content.content, state=DeliveryState.SHADOWED, reason=reason)


def unsendable(error: Exception, sink: ContentSink) -> RenderedContent:
    """Return the end of a delivery that cannot be rendered: skipped where there is no recipient, else dead."""
    no_recipient = isinstance(error, SkipDelivery) or (
        isinstance(error, MissingValue) and error.place in sink.skip_if_missing
    )
    return RenderedContent(state=DeliveryState.SKIPPED if no_recipient else DeliveryState.DEAD, reason=str(error))
