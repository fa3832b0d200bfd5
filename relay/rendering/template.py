"""One text with a template in it, at its place in a content."""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.runtime import Context

from relay.errors import MissingValue, RejectDelivery, RelayError, SkipDelivery
from relay.model import Record
from relay.rendering.checking import Finding, Path, Tables, ViewFields, check_template
from relay.rendering.sandbox import Sandbox
from relay.rendering.values import OMIT, EmptyValueError, NoRecipientError, OutputBudget, to_json_value, to_text

SANDBOX: Final = Sandbox()

Variables: TypeAlias = dict[str, Any]

# What Jinja and Python raise for a template that is too deep or too long for them, beside its own error.
_COMPILE_ERRORS = (TemplateSyntaxError, SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)


def make_context(variables: Variables) -> Context:
    """Make the context of a delivery's templates. Making it costs more than what most of them do with it."""
    return Context(SANDBOX, variables, None, {})


class CompiledTemplate(Record):
    """A compiled template."""

    place: str
    root: Callable[[Context], Iterator[object]]
    typed: bool  # exactly one expression: its value keeps its type
    sets: bool  # names of its own, which the others must not see

    def fill(self, context: Context, meter: OutputBudget) -> object:
        """Return a JSON-able value or OMIT; every error names the place."""
        try:
            chunks = self.root(make_context(context.parent) if self.sets else context)
            if not self.typed:
                return "".join([meter.take(to_text(chunk)) for chunk in chunks])
            value = next(chunks)
            return OMIT if value is OMIT else to_json_value(value, meter)
        except NoRecipientError as error:
            raise SkipDelivery(f"{self.place}: {error}") from error
        except EmptyValueError as error:
            raise RejectDelivery(f"{self.place}: {error}") from error
        except UndefinedError as error:
            raise MissingValue(self.place, str(error)) from error
        except RelayError as error:
            raise type(error)(f"{self.place}: {error}") from error
        except Exception as error:  # whatever Python says about values that do not fit together
            raise RejectDelivery(f"{self.place}: {error}") from error


def is_template(source: str) -> bool:
    """Return whether a text of the YAML is a template."""
    return "{{" in source or "{%" in source


def compile_template(
    source: str, path: Path, known: ViewFields, tables: Tables, errors: list[Finding], *, droppable: bool
) -> CompiledTemplate | None:
    """Compile a template; what is wrong with it is added to `errors`. `omit` is allowed where it is droppable."""
    try:
        tree = SANDBOX.parse(source)
        whole = _only_expression(tree)
        findings = check_template(tree, known, tables, whole if droppable else None)
        errors.extend((path, finding) for finding in findings)
        if findings:
            return None
        sets = tree.find(nodes.Assign) is not None
        root = SANDBOX.from_string(tree).root_render_func
    except _COMPILE_ERRORS as error:
        errors.append((path, _describe_syntax_error(error, source)))
        return None
    return CompiledTemplate(place=".".join(map(str, path)), root=root, typed=whole is not None, sets=sets)


def _only_expression(tree: nodes.Template) -> nodes.Expr | None:
    match tree.body:
        case [nodes.Output(nodes=[expression])] if not isinstance(expression, nodes.TemplateData):
            return expression
    return None


def _describe_syntax_error(error: BaseException, source: str) -> str:
    if isinstance(error, TemplateSyntaxError):
        line = f"line {error.lineno}: " if "\n" in source else ""
        return f"{line}the template is broken: {error.message}"
    return f"the template cannot be compiled: {error or type(error).__name__}"
