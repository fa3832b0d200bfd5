"""The content that a route makes for its sinks."""

from collections.abc import Mapping
from dataclasses import dataclass

from relay.rendering import CompiledContent


@dataclass(frozen=True)
class RouteContent:
    """The content keys of a route, each with its compiled template."""

    templates: Mapping[str, CompiledContent]

    def render(self, context: Mapping[str, object], /) -> Mapping[str, object]:
        """Render every key. Raises MissingValue, SkipDelivery, RejectDelivery."""
        return {key: template.render(context) for key, template in self.templates.items()}
