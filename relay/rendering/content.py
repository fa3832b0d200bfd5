"""A content: a value of the YAML whose texts may be templates, compiled once, rendered for every delivery."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from jinja2.runtime import Context

from relay.model import Record
from relay.rendering.checking import Finding, Path, Tables, TemplateErrors, ViewFields
from relay.rendering.filters import TABLES
from relay.rendering.template import SANDBOX, compile_template, is_template, make_context
from relay.rendering.values import OMIT, OutputBudget

MAX_CONTENT_BYTES: Final = 64 * 1024  # bytes that the templates of one delivery put out

RenderPart: TypeAlias = Callable[[Context, OutputBudget], object]


class CompiledContent(Record):
    """A compiled content. What has no templates is given out as it is: take what it renders as read-only."""

    value: object  # as it was written
    part: RenderPart | None  # what fills its templates, where it has some
    tables: Tables

    def render(self, context: Mapping[str, object], cap: int = MAX_CONTENT_BYTES) -> object:
        """Fill the templates in and return a JSON-able value.

        `context` has the views by name, and `timezone` for dates. Raise MissingValue for a value that the hook does
        not carry, SkipDelivery where there is nobody to deliver to, RejectDelivery where a value cannot be used or
        the templates put out more than `cap` bytes of UTF-8.
        """
        if self.part is None:
            return self.value
        return self.part(make_context({**SANDBOX.globals, **context, TABLES: self.tables}), OutputBudget(cap))


def compile_content(value: object, path: str, known: ViewFields, tables: Tables) -> CompiledContent:
    """Compile a value of the YAML, or raise TemplateErrors with everything that is wrong with its templates.

    `path` is what the value is called in its content ("body"), `known` and `tables` are what templates may name.
    """
    compiler = _Compiler(known, tables)
    part = compiler.part(value, (path,), droppable=False)
    if compiler.errors:
        raise TemplateErrors(compiler.errors)
    return CompiledContent(value=value, part=part, tables=tables)


class _Compiler:
    """Walks a value and collects what is wrong. The part of a value without templates is None: it costs nothing."""

    def __init__(self, known: ViewFields, tables: Tables) -> None:
        self.known = known
        self.tables = tables
        self.errors: list[Finding] = []

    def part(self, value: object, path: Path, *, droppable: bool = True) -> RenderPart | None:
        if isinstance(value, str) and is_template(value):
            slot = compile_template(value, path, self.known, self.tables, self.errors, droppable=droppable)
            return slot.fill if slot else None
        if isinstance(value, Mapping):
            return self.mapping(value, path)
        return self.elements(value, path) if isinstance(value, list) else None

    def mapping(self, value: Mapping[object, object], path: Path) -> RenderPart | None:
        found = [(key, self.part(inner, (*path, str(key)))) for key, inner in value.items()]
        parts = [(key, part) for key, part in found if part]
        if not parts:
            return None
        constant = dict(value)

        def filled(context: Context, meter: OutputBudget) -> object:
            content = constant.copy()  # keeps the order of the keys
            for key, part in parts:
                content[key] = part(context, meter)
                if content[key] is OMIT:
                    del content[key]
            return content

        return filled

    def elements(self, value: list[object], path: Path) -> RenderPart | None:
        parts = [self.part(inner, (*path, at)) for at, inner in enumerate(value)]
        if not any(parts):
            return None
        pairs = list(zip(value, parts, strict=True))

        def filled(context: Context, meter: OutputBudget) -> object:
            content = [part(context, meter) if part else inner for inner, part in pairs]
            return [element for element in content if element is not OMIT]

        return filled
