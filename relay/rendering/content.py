"""Compile a content, a value of the YAML whose texts may be templates, once, to render it for every delivery."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from jinja2.runtime import Context

from relay.errors import LocatedMessage, YamlPath
from relay.model import Record
from relay.rendering.checking import Answers, Tables, TemplateErrors, ViewFields
from relay.rendering.filters import TABLES
from relay.rendering.markup import Markup
from relay.rendering.reads import FieldRead
from relay.rendering.template import SANDBOX, compile_template, is_template, make_context
from relay.rendering.values import OMIT, OutputBudget

MAX_CONTENT_BYTES: Final = 64 * 1024  # of the output of one delivery's templates

RenderPart: TypeAlias = Callable[[Context, OutputBudget], object]


class CompiledContent(Record):
    """A compiled content. What it renders is read-only: parts without templates are shared by all deliveries."""

    value: object  # as in the YAML
    part: RenderPart | None  # renders its templates; None where it has none
    tables: Tables
    reads: tuple[tuple[YamlPath, FieldRead], ...] = ()  # the fields that its templates read, each with its path

    def render(self, context: Mapping[str, object], cap: int = MAX_CONTENT_BYTES) -> object:
        """Render the templates and return a JSON-able value.

        `context` has the views by name, and `timezone` for dates. Raises MissingValue for a value that the hook does
        not carry, SkipDelivery where there is no recipient, RejectDelivery where a value cannot be used or the
        templates output more than `cap` bytes of UTF-8.
        """
        if self.part is None:
            return self.value
        return self.part(make_context({**SANDBOX.globals, **context, TABLES: self.tables}), OutputBudget(cap))


def compile_content(
    value: object,
    path: str,
    view_fields: ViewFields,
    tables: Tables,
    answers: Answers = MappingProxyType({}),
    markup: Markup | None = None,
) -> CompiledContent:
    """Compile a value of the YAML. Raises TemplateErrors with all that is wrong with its templates.

    `path` is the name of the value in its content ("body"), `view_fields` and `tables` are what templates may name,
    `answers` what to write instead of unknown variables and fields ("lead.budget") that people expect. `markup` is what
    its texts are written in: then the values in them are escaped.
    """
    compiler = _Compiler(view_fields, tables, answers, markup)
    part = compiler.part(value, (path,), droppable=False)
    if compiler.errors:
        raise TemplateErrors(compiler.errors)
    return CompiledContent(value=value, part=part, tables=tables, reads=tuple(compiler.reads))


class _Compiler:
    """Compiles the parts of a value and collects what is wrong with them. One without templates is None: it is free."""

    def __init__(self, view_fields: ViewFields, tables: Tables, answers: Answers, markup: Markup | None) -> None:
        self.markup = markup
        self.view_fields = view_fields
        self.tables = tables
        self.answers = answers
        self.errors: list[LocatedMessage] = []
        self.reads: list[tuple[YamlPath, FieldRead]] = []

    def part(self, value: object, path: YamlPath, *, droppable: bool = True) -> RenderPart | None:
        if isinstance(value, str) and is_template(value):
            template = compile_template(
                value, path, self.view_fields, self.tables, self.errors,
                droppable=droppable, answers=self.answers, markup=self.markup,
            )  # fmt: skip
            if template is None:
                return None
            self.reads.extend((path, read) for read in template.reads)
            return template.render
        if isinstance(value, Mapping):
            return self.mapping(value, path)
        return self.elements(value, path) if isinstance(value, list) else None

    def mapping(self, value: Mapping[object, object], path: YamlPath) -> RenderPart | None:
        found = [(key, self.part(inner, (*path, str(key)))) for key, inner in value.items()]
        parts = [(key, part) for key, part in found if part]
        if not parts:
            return None
        constant = dict(value)

        def render(context: Context, budget: OutputBudget) -> object:
            content = constant.copy()  # keeps the order of the keys
            for key, part in parts:
                content[key] = part(context, budget)
                if content[key] is OMIT:
                    del content[key]
            return content

        return render

    def elements(self, value: list[object], path: YamlPath) -> RenderPart | None:
        parts = [self.part(inner, (*path, at)) for at, inner in enumerate(value)]
        if not any(parts):
            return None
        pairs = list(zip(value, parts, strict=True))

        def render(context: Context, budget: OutputBudget) -> object:
            content = [part(context, budget) if part else inner for inner, part in pairs]
            return [element for element in content if element is not OMIT]

        return render
