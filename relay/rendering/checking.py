"""What can be wrong with a template before any event comes, found in its syntax tree."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from inspect import signature
from typing import Any, Final, TypeAlias

from jinja2 import nodes

from relay.errors import TemplateError
from relay.model import Record
from relay.rendering.catalogue import FILTERS, TESTS
from relay.rendering.filters import find_timezone
from relay.rendering.sandbox import CALLABLE_METHODS, write_expression

Path: TypeAlias = tuple[str | int, ...]
Finding: TypeAlias = tuple[Path, str]
ViewFields: TypeAlias = Mapping[str, frozenset[str]]
"""View -> the fields it may carry; a view without any is open: every field is allowed."""
Tables: TypeAlias = Mapping[str, Mapping[str, str]]

_VARIABLES: Final = frozenset({"range", "timezone"})
_OF_EVERY_VIEW: Final = frozenset({"custom", "get"})
_STATEMENTS = (nodes.Output, nodes.If, nodes.For, nodes.Assign)
_FIELD = (nodes.Getattr, nodes.Getitem)


class TemplateErrors(TemplateError):
    """A content cannot be compiled. `errors` has every finding with the path of the value it is about."""

    def __init__(self, errors: Iterable[Finding]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(f"{'.'.join(map(str, path))}: {message}" for path, message in self.errors))


class TemplateScope(Record):
    """What a template may name."""

    known: ViewFields
    tables: Tables
    local: frozenset[str] = frozenset()  # what the template itself sets
    whole: nodes.Expr | None = None  # the expression, where the template is exactly one


def check_template(template: nodes.Template, known: ViewFields, tables: Tables, whole: nodes.Expr | None) -> list[str]:
    """List what is wrong with a template, each finding once."""
    local = {name.name for name in template.find_all(nodes.Name) if name.ctx != "load"}
    if template.find(nodes.For):
        local.add("loop")
    around = TemplateScope(known=known, tables=tables, local=frozenset(local), whole=whole)
    lines = any(node.lineno > 1 for node in template.find_all(nodes.Expr))
    found = [
        f"line {node.lineno}: {message}" if lines else message
        for node in template.find_all(nodes.Node)
        for message in _check_node(node, around)
    ]
    return list(dict.fromkeys(found))


def suggestion(name: str, names: Iterable[str], otherwise: str = "", before: str = "") -> str:
    """Suggest the name that was meant, with what stands before it."""
    meant = get_close_matches(name, sorted(names), 1)
    return f"; did you mean {before}{meant[0]}?" if meant else otherwise


def _check_node(node: nodes.Node, around: TemplateScope) -> Iterator[str]:
    if isinstance(node, nodes.Stmt) and not isinstance(node, _STATEMENTS):
        yield f"{{% {type(node).__name__.lower()} %}} is not for contents: only if, for and set are"
    for kind, look in _CHECKS:
        if isinstance(node, kind):
            yield from look(node, around)


def _name(node: nodes.Name, around: TemplateScope) -> Iterator[str]:
    if node.name in around.local or node.name in around.known or node.name in _VARIABLES:
        return
    owners = [f"{view}.{node.name}" for view, fields in sorted(around.known.items()) if node.name in fields]
    otherwise = f"; did you mean {owners[0]}?" if owners else f"; known are {', '.join(sorted(around.known))}"
    yield f"unknown variable {node.name}{suggestion(node.name, around.known, otherwise)}"


def _attribute(node: nodes.Getattr, around: TemplateScope) -> Iterator[str]:
    if node.attr.startswith("_"):
        yield f"{node.attr} is private: contents see the data only"
    else:
        yield from _field(node.node, node.attr, around)


def _item(node: nodes.Getitem, around: TemplateScope) -> Iterator[str]:
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        yield from _field(node.node, node.arg.value, around)


def _field(owner: nodes.Expr, field: str, around: TemplateScope) -> Iterator[str]:
    if not isinstance(owner, nodes.Name) or owner.name in around.local:
        return
    fields = around.known.get(owner.name)
    if fields and field not in fields | _OF_EVERY_VIEW:
        view = f"{owner.name}."
        yield f"unknown field {view}{field}{suggestion(field, fields, before=view)}"


def _call(node: nodes.Call, _around: TemplateScope) -> Iterator[str]:
    called = node.node
    if isinstance(called, nodes.Name):
        if called.name != "range":
            yield f"{called.name}() is nothing to call{suggestion(called.name, FILTERS)}"
    elif not isinstance(called, nodes.Getattr):
        yield f"{write_expression(called)} is nothing to call"
    elif called.attr not in CALLABLE_METHODS:
        yield f".{called.attr}() cannot be called here{suggestion(called.attr, CALLABLE_METHODS, '; use a filter')}"


def _filter(node: nodes.Filter, around: TemplateScope) -> Iterator[str]:
    filter_ = FILTERS.get(node.name)
    if filter_ is None:
        known = ", ".join(sorted(FILTERS))
        yield f"unknown filter {node.name}{suggestion(node.name, FILTERS, f'; known are {known}')}"
        return
    if node.name == "omit" and node is not around.whole:
        yield "omit leaves a key or list element out: write it last, where the whole value is one {{ … }}"
    if node.dyn_args is None and node.dyn_kwargs is None:
        yield from _arguments(node, filter_, around)


def _arguments(node: nodes.Filter, filter_: Callable[..., Any], around: TemplateScope) -> Iterator[str]:
    """Bind the arguments as the call will, and look at those that are constant."""
    leading = (None,) * (2 if hasattr(filter_, "jinja_pass_arg") else 1)
    try:
        named = {str(keyword.key): _constant(keyword.value) for keyword in node.kwargs}
        bound = signature(filter_).bind(*leading, *map(_constant, node.args), **named)
    except TypeError as error:
        yield f"{node.name}: {error}"
        return
    table, timezone = bound.arguments.get("table"), bound.arguments.get("timezone")
    if isinstance(table, str) and table not in around.tables:
        yield f"unknown table {table}{suggestion(table, around.tables, '; no such entry under tables:')}"
    if isinstance(timezone, str):
        yield from _zone(timezone)


def _zone(name: str) -> Iterator[str]:
    try:
        find_timezone(name)
    except ValueError as error:
        yield str(error)


def _constant(node: nodes.Node) -> object:
    return node.value if isinstance(node, nodes.Const) else node


def _test(node: nodes.Test, _around: TemplateScope) -> Iterator[str]:
    if node.name not in TESTS:
        yield f"unknown test {node.name}{suggestion(node.name, TESTS)}"


def _arithmetic(node: nodes.BinExpr, around: TemplateScope) -> Iterator[str]:
    if isinstance(node, nodes.And | nodes.Or):
        return
    for side in (node.left, node.right):
        if isinstance(_constant(side), str):
            yield f"{node.operator} computes with numbers: join texts with ~"
        elif _is_field(side, around):
            yield _is_text(side)


def _compare(node: nodes.Compare, around: TemplateScope) -> Iterator[str]:
    sides = [node.expr, *(operand.expr for operand in node.ops)]
    if any(isinstance(_constant(side), int | float) for side in sides):
        yield from (_is_text(side) for side in sides if _is_field(side, around))


def _is_field(node: nodes.Expr, around: TemplateScope) -> bool:
    if not isinstance(node, _FIELD):
        return False
    owner = node.node
    return owner.name not in around.local if isinstance(owner, nodes.Name) else _is_field(owner, around)


def _is_text(node: nodes.Expr) -> str:
    field = write_expression(node)
    return f"{field} is a text as amoCRM sends it: to compute or compare with numbers write {field} | int"


_CHECKS: tuple[tuple[type[nodes.Node], Callable[[Any, TemplateScope], Iterator[str]]], ...] = (
    (nodes.Name, _name),
    (nodes.Getattr, _attribute),
    (nodes.Getitem, _item),
    (nodes.Call, _call),
    (nodes.Filter, _filter),
    (nodes.Test, _test),
    (nodes.BinExpr, _arithmetic),
    (nodes.Compare, _compare),
)
