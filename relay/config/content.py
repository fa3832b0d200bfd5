"""What a route gives its sink."""

from collections.abc import Mapping
from dataclasses import dataclass

from relay.rendering import CompiledContent


@dataclass(frozen=True)
class RouteContent:
    """What a route gives its sink: each content key with its compiled template."""

    parts: Mapping[str, CompiledContent]

    def render(self, context: Mapping[str, object], /) -> Mapping[str, object]:
        """Render every key. Raises MissingValue, SkipDelivery, RejectDelivery."""
        return {key: tree.render(context) for key, tree in self.parts.items()}
