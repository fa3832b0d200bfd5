"""Check the syntax tree of a template for mistakes, before any event arrives."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import signature
from typing import Any, Final, TypeAlias

from jinja2 import nodes

from relay.errors import CompileErrors
from relay.model import Record
from relay.rendering.catalogue import FILTERS, TESTS
from relay.rendering.filters import find_timezone
from relay.rendering.sandbox import CALLABLE_METHODS, write_expression
from relay.spelling import look_alike, nearest_name

ViewFields: TypeAlias = Mapping[str, frozenset[str]]
"""View -> its known fields; a view without any is open: every field is allowed."""
Tables: TypeAlias = Mapping[str, Mapping[str, str]]
Answers: TypeAlias = Mapping[str, str]
"""Unknown variables and fields that people expect -> what to write instead."""

_VARIABLES: Final = frozenset({"range", "timezone"})
_OF_EVERY_VIEW: Final = frozenset({"custom", "get"})
_MAX_LISTED: Final = 12  # fields in a message
_STATEMENTS = (nodes.Output, nodes.If, nodes.For, nodes.Assign)
_FIELD = (nodes.Getattr, nodes.Getitem)


class TemplateErrors(CompileErrors):
    """The templates of a content cannot be compiled."""


class TemplateScope(Record):
    """The names that a template may use."""

    view_fields: ViewFields
    tables: Tables
    answers: Answers
    local: frozenset[str] = frozenset()  # variables that the template sets
    only_expression: nodes.Expr | None = None  # if the template is nothing else


def check_template(
    template: nodes.Template,
    view_fields: ViewFields,
    tables: Tables,
    only_expression: nodes.Expr | None,
    answers: Answers,
) -> list[str]:
    """Return what is wrong with a template, each message once."""
    local = {name.name for name in template.find_all(nodes.Name) if name.ctx != "load"}
    if template.find(nodes.For):
        local.add("loop")
    scope = TemplateScope(
        view_fields=view_fields, tables=tables, answers=answers, local=frozenset(local), only_expression=only_expression
    )
    has_lines = any(node.lineno > 1 for node in template.find_all(nodes.Expr))
    found = [
        f"line {node.lineno}: {message}" if has_lines else message
        for node in template.find_all(nodes.Node)
        for message in _check_node(node, scope)
    ]
    return list(dict.fromkeys(found))


def suggestion(name: str, names: Iterable[str], otherwise: str = "", before: str = "") -> str:
    """Return the name that was probably meant, with `before` in front of it, or `otherwise`."""
    known = sorted(names)
    if problem := look_alike(name, known):
        return f"; {problem}"
    meant = nearest_name(name, known)
    return f"; did you mean {before}{meant}?" if meant else otherwise


def _check_node(node: nodes.Node, scope: TemplateScope) -> Iterator[str]:
    if isinstance(node, nodes.Stmt) and not isinstance(node, _STATEMENTS):
        yield f"{{% {type(node).__name__.lower()} %}} is not for contents: only if, for and set are"
    for kind, check in _CHECKS:
        if isinstance(node, kind):
            yield from check(node, scope)


def _name(node: nodes.Name, scope: TemplateScope) -> Iterator[str]:
    if node.name in scope.local or node.name in scope.view_fields or node.name in _VARIABLES:
        return
    if node.name in scope.answers:
        yield f"unknown variable {node.name}; {scope.answers[node.name]}"
        return
    owners = [f"{view}.{node.name}" for view, fields in sorted(scope.view_fields.items()) if node.name in fields]
    otherwise = f"; did you mean {owners[0]}?" if owners else f"; known are {', '.join(sorted(scope.view_fields))}"
    yield f"unknown variable {node.name}{suggestion(node.name, scope.view_fields, otherwise)}"


def _attribute(node: nodes.Getattr, scope: TemplateScope) -> Iterator[str]:
    if node.attr.startswith("_"):
        yield f"{node.attr} is private: contents see the data only"
    else:
        yield from _field(node.node, node.attr, scope)


def _item(node: nodes.Getitem, scope: TemplateScope) -> Iterator[str]:
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        yield from _field(node.node, node.arg.value, scope)


def _field(owner: nodes.Expr, field: str, scope: TemplateScope) -> Iterator[str]:
    if not isinstance(owner, nodes.Name) or owner.name in scope.local:
        return
    fields = scope.view_fields.get(owner.name)
    if fields and field not in fields | _OF_EVERY_VIEW:
        view = f"{owner.name}."
        if answer := scope.answers.get(f"{view}{field}") or _custom_field(owner.name, field, fields):
            yield f"unknown field {view}{field}; {answer}"
            return
        yield f"unknown field {view}{field}{suggestion(field, fields, _list_known(fields), before=view)}"


def _list_known(fields: frozenset[str]) -> str:
    known = sorted(fields)
    more = f" and {len(known) - _MAX_LISTED} more" if len(known) > _MAX_LISTED else ""
    return f"; known are {', '.join(known[:_MAX_LISTED])}{more}"


def _custom_field(view: str, field: str, fields: frozenset[str]) -> str | None:
    """Return how a custom field is written, where a field has a name that only those have."""
    return f"write {view}.custom['{field}']" if "custom" in fields and not field.isascii() else None


def _call(node: nodes.Call, _scope: TemplateScope) -> Iterator[str]:
    called = node.node
    if isinstance(called, nodes.Name):
        if called.name != "range":
            yield f"{called.name}() is nothing to call{suggestion(called.name, FILTERS)}"
    elif not isinstance(called, nodes.Getattr):
        yield f"{write_expression(called)} is nothing to call"
    elif called.attr not in CALLABLE_METHODS:
        yield f".{called.attr}() cannot be called here{suggestion(called.attr, CALLABLE_METHODS, '; use a filter')}"


def _filter(node: nodes.Filter, scope: TemplateScope) -> Iterator[str]:
    filter_ = FILTERS.get(node.name)
    if filter_ is None:
        view_fields = ", ".join(sorted(FILTERS))
        yield f"unknown filter {node.name}{suggestion(node.name, FILTERS, f'; known are {view_fields}')}"
        return
    if node.name == "omit" and node is not scope.only_expression:
        yield "omit leaves a key or list element out: write it last, where the whole value is one {{ … }}"
    if node.dyn_args is None and node.dyn_kwargs is None:
        yield from _arguments(node, filter_, scope)


def _arguments(node: nodes.Filter, filter_: Callable[..., Any], scope: TemplateScope) -> Iterator[str]:
    """Bind the arguments as the call will, and check those that are constant."""
    leading = (None,) * (2 if hasattr(filter_, "jinja_pass_arg") else 1)
    try:
        named = {str(keyword.key): _constant(keyword.value) for keyword in node.kwargs}
        bound = signature(filter_).bind(*leading, *map(_constant, node.args), **named)
    except TypeError as error:
        yield f"{node.name}: {error}"
        return
    table, timezone = bound.arguments.get("table"), bound.arguments.get("timezone")
    if isinstance(table, str) and table not in scope.tables:
        yield f"unknown table {table}{suggestion(table, scope.tables, '; no such entry under tables:')}"
    if isinstance(timezone, str):
        yield from _zone(timezone)


def _zone(name: str) -> Iterator[str]:
    try:
        find_timezone(name)
    except ValueError as error:
        yield str(error)


def _constant(node: nodes.Node) -> object:
    return node.value if isinstance(node, nodes.Const) else node


def _test(node: nodes.Test, _scope: TemplateScope) -> Iterator[str]:
    if node.name not in TESTS:
        yield f"unknown test {node.name}{suggestion(node.name, TESTS)}"


def _arithmetic(node: nodes.BinExpr, scope: TemplateScope) -> Iterator[str]:
    if isinstance(node, nodes.And | nodes.Or):
        return
    for side in (node.left, node.right):
        if isinstance(_constant(side), str):
            yield f"{node.operator} computes with numbers: join texts with ~"
        elif _is_field(side, scope):
            yield _is_text(side)


def _compare(node: nodes.Compare, scope: TemplateScope) -> Iterator[str]:
    sides = [node.expr, *(operand.expr for operand in node.ops)]
    if any(isinstance(_constant(side), int | float) for side in sides):
        yield from (_is_text(side) for side in sides if _is_field(side, scope))


def _is_field(node: nodes.Expr, scope: TemplateScope) -> bool:
    if not isinstance(node, _FIELD):
        return False
    owner = node.node
    return owner.name not in scope.local if isinstance(owner, nodes.Name) else _is_field(owner, scope)


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
