"""Render the content of a delivery from templates and an event's views (pure)."""

from relay.rendering.checking import Tables, TemplateErrors, ViewFields
from relay.rendering.content import CompiledContent, compile_content

__all__ = ["CompiledContent", "Tables", "TemplateErrors", "ViewFields", "compile_content"]
