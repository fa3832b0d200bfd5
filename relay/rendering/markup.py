"""Escape the values within a text that has markup of its own, so that no name with `<` or `_` in it breaks it. Pure."""

import re
from typing import Final, Literal, TypeAlias

from jinja2 import nodes

from relay.rendering.catalogue import FILTERS, Filter, pass_missing_through
from relay.rendering.values import OMIT, to_text

Markup: TypeAlias = Literal["html", "markdown"]
"""What the text of a content key is written in; `markdown` is Telegram's MarkdownV2."""

_MARKDOWN: Final = re.compile(r"([\\_*\[\]()~`>#+\-=|{}.!])")
_ESCAPED: Final = frozenset({"e", "escape"})  # who writes the filter means the same


def escape_markdown(value: object) -> object:
    """Write a text so that MarkdownV2 shows it as it is."""
    return _MARKDOWN.sub(r"\\\1", to_text(value))


def _keep_omitted(filter_: Filter) -> Filter:
    return pass_missing_through(lambda value: value if value is OMIT else filter_(value))


MARKUP_FILTERS: Final = {"markup_html": _keep_omitted(FILTERS["e"]), "markup_markdown": _keep_omitted(escape_markdown)}
"""Filters that no template names: every expression in a text with markup passes one."""


def escape_outputs(tree: nodes.Template, markup: Markup) -> None:
    """Let the value of every `{{ … }}` in a template be escaped; what stands around them is the markup itself."""
    for output in tree.find_all(nodes.Output):
        output.nodes = [_escaped(node, markup) for node in output.nodes]


def _escaped(node: nodes.Expr, markup: Markup) -> nodes.Expr:
    if isinstance(node, nodes.TemplateData):
        return node
    if markup == "html" and isinstance(node, nodes.Filter) and node.name in _ESCAPED:
        return node
    return nodes.Filter(node, f"markup_{markup}", [], [], None, None, lineno=node.lineno)
