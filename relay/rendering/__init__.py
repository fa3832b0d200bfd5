"""Make the content of a delivery from templates and an event's views (pure)."""

from relay.rendering.checking import Known, Tables, TemplateErrors
from relay.rendering.tree import CAP, Tree, compile_tree

__all__ = ["CAP", "Known", "Tables", "TemplateErrors", "Tree", "compile_tree"]
