"""Render the content of a delivery from templates and an event's views (pure)."""

from relay.rendering.checking import Tables, TemplateErrors, ViewFields
from relay.rendering.content import CompiledContent, compile_content
from relay.rendering.markup import Markup
from relay.rendering.reads import FieldRead

__all__ = ["CompiledContent", "FieldRead", "Markup", "Tables", "TemplateErrors", "ViewFields", "compile_content"]
