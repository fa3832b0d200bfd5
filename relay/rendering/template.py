"""Compile and render the template of one text in a content."""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.runtime import Context

from relay.errors import LocatedMessage, MissingValue, RejectDelivery, RelayError, SkipDelivery, YamlPath
from relay.model import Record
from relay.rendering.checking import Answers, Tables, ViewFields, check_template
from relay.rendering.markup import Markup, escape_outputs
from relay.rendering.reads import FieldRead, read_fields
from relay.rendering.sandbox import Sandbox
from relay.rendering.values import OMIT, EmptyValueError, NoRecipientError, OutputBudget, to_json_value, to_text
from relay.spelling import invisible_blank, typographic_quote

SANDBOX: Final = Sandbox()

Variables: TypeAlias = dict[str, Any]

# Raised by Jinja for a broken template, and by Python for one that is too deep or too long.
_COMPILE_ERRORS = (TemplateSyntaxError, SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)


def make_context(variables: Variables) -> Context:
    """Return a context for templates. One serves all templates of a delivery: most cost less than it does."""
    return Context(SANDBOX, variables, None, {})


class CompiledTemplate(Record):
    """A compiled template."""

    place: str
    render_function: Callable[[Context], Iterator[object]]
    is_expression: bool  # exactly one `{{ … }}`: its value keeps its type
    assigns: bool  # sets variables, which other templates must not see
    reads: tuple[FieldRead, ...] = ()

    def render(self, context: Context, budget: OutputBudget) -> object:
        """Return a JSON-able value or OMIT. Every error names the place."""
        try:
            chunks = self.render_function(make_context(context.parent) if self.assigns else context)
            if not self.is_expression:
                return "".join([budget.add_text(to_text(chunk)) for chunk in chunks])
            value = next(chunks)
            return OMIT if value is OMIT else to_json_value(value, budget)
        except NoRecipientError as error:
            raise SkipDelivery(f"{self.place}: {error}") from error
        except EmptyValueError as error:
            raise RejectDelivery(f"{self.place}: {error}") from error
        except UndefinedError as error:
            raise MissingValue(self.place, str(error)) from error
        except RelayError as error:
            raise type(error)(f"{self.place}: {error}") from error
        except Exception as error:  # Python's own errors about values that do not fit together
            raise RejectDelivery(f"{self.place}: {error}") from error


def is_template(source: str) -> bool:
    """Return whether a text of the YAML is a template."""
    return "{{" in source or "{%" in source


def compile_template(
    source: str,
    path: YamlPath,
    view_fields: ViewFields,
    tables: Tables,
    errors: list[LocatedMessage],
    *,
    droppable: bool,
    answers: Answers,
    markup: Markup | None = None,
) -> CompiledTemplate | None:
    """Compile a template. What is wrong with it is added to `errors`. It may `omit` where its value is droppable.

    `markup`: what its text is written in, for which its values are escaped.
    """
    try:
        tree = SANDBOX.parse(source)
        only_expression = _only_expression(tree)
        messages = check_template(tree, view_fields, tables, only_expression if droppable else None, answers)
        errors.extend((path, message) for message in messages)
        if messages:
            return None
        reads = read_fields(tree)
        if markup:
            escape_outputs(tree, markup)
        assigns = tree.find(nodes.Assign) is not None
        function = SANDBOX.from_string(tree).root_render_func
    except _COMPILE_ERRORS as error:
        errors.append((path, _describe_syntax_error(error, source)))
        return None
    place, is_expression = ".".join(map(str, path)), only_expression is not None
    return CompiledTemplate(
        place=place, render_function=function, is_expression=is_expression, assigns=assigns, reads=reads
    )


def _only_expression(tree: nodes.Template) -> nodes.Expr | None:
    match tree.body:
        case [nodes.Output(nodes=[expression])] if not isinstance(expression, nodes.TemplateData):
            return expression
    return None


def _describe_syntax_error(error: BaseException, source: str) -> str:
    if isinstance(error, TemplateSyntaxError):
        line = f"line {error.lineno}: " if "\n" in source else ""
        if (blank := invisible_blank(source)) and "unexpected char" in str(error.message):
            return f"{line}{blank[1]} stands within {{{{ … }}}}: write a plain space"
        if (quote := typographic_quote(source)) and "unexpected char" in str(error.message):
            return f"{line}{quote} stands within {{{{ … }}}}: write '"
        return f"{line}the template is broken: {error.message}"
    return f"the template cannot be compiled: {error or type(error).__name__}"
