"""The Jinja environment of templates: they reach the data only, cannot fill the memory, and miss no value silently.

It is stricter than Jinja's own sandbox, which allows `'a' * 10**9`, `''.ljust(10**9)` and repeated `a ~ a`. Memory is
bounded and time is not: the operator writes the templates, and nothing that a sender sends is used as one.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, Final

from jinja2 import nodes
from jinja2.compiler import Frame
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from relay.errors import RejectDelivery
from relay.rendering.catalogue import FILTERS, TESTS
from relay.rendering.markup import MARKUP_FILTERS
from relay.rendering.values import MAX_BITS, Missing, check_list_length, check_text_length, describe_value, to_text

MAX_RANGE: Final = 1000  # numbers of range()

_TEXT_METHODS = frozenset(
    {"upper", "lower", "capitalize", "title", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix"}
    | {"startswith", "endswith", "split", "rsplit", "splitlines", "partition", "rpartition", "find", "rfind"}
    | {"count", "isdigit", "isdecimal", "isalpha", "isalnum"}
)
_MAPPING_METHODS = frozenset({"get", "items", "keys", "values"})
_ALLOWED_METHODS: Mapping[type, frozenset[str]] = {
    str: _TEXT_METHODS,
    list: frozenset({"index", "count"}),
    tuple: frozenset({"index", "count"}),
    dict: _MAPPING_METHODS,
    int: frozenset(),  # int.to_bytes allocates as much memory as it is asked for
    float: frozenset(),
    bool: frozenset(),
}
CALLABLE_METHODS: Final = frozenset({"cycle", "changed"}).union(
    *_ALLOWED_METHODS.values()
)  # the first two are a loop's
"""Names of the methods that a template may call."""

_ARITHMETIC: Mapping[str, Callable[[float, float], object]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


def write_expression(node: nodes.Node) -> str:
    """Return the source of an expression of names, attributes and constant keys."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{write_expression(node.node)}.{node.attr}"
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        key = node.arg.value
        return (
            f'{write_expression(node.node)}["{key}"]'
            if isinstance(key, str)
            else f"{write_expression(node.node)}[{key}]"
        )
    if isinstance(node, nodes.Filter) and node.node is not None:
        return f"({write_expression(node.node)} | {node.name})"
    return "(…)"


class _TypeAttributes(dict[type, frozenset[str] | None]):
    """The attributes that the objects of a type have; None where each object may have its own.

    Anything else is a key. Trying `getattr` instead costs an exception: five times as much as the look-up of a field.
    """

    def __missing__(self, kind: type) -> frozenset[str] | None:
        own = None if kind.__dictoffset__ else frozenset(name for base in kind.__mro__ for name in vars(base))
        self[kind] = own
        return own


_ATTRIBUTES = _TypeAttributes()


class _Generator(NativeCodeGenerator):
    """Compiles outputs to the values themselves, and passes the source of an expression to the environment."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, _finalize: object) -> str:
        if isinstance(node, nodes.TemplateData):
            return node.as_const(frame.eval_ctx)
        raise nodes.Impossible  # `{{ 5 }}` keeps its type

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802  Jinja's name
        self.write("environment.getattr(")
        self.visit(node.node, frame)
        self.write(f", {node.attr!r}, {write_expression(node)!r})")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802  Jinja's name
        if isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self.write("environment.getitem(")
        self.visit(node.node, frame)
        self.write(", ")
        self.visit(node.arg, frame)
        self.write(f", {write_expression(node)!r})")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  Jinja's name
        self.write("environment.join_texts((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja reduced to reading data, choosing and formatting."""

    code_generator_class = _Generator
    intercepted_binops = frozenset(_ARITHMETIC)

    def __init__(self) -> None:
        # Not optimized: no expression is evaluated at compile time, so that all pass the guards below.
        super().__init__(undefined=Missing, optimized=False, autoescape=False, keep_trailing_newline=True)
        self.globals = {"range": _range}
        self.filters = {**FILTERS, **MARKUP_FILTERS}
        self.tests = dict(TESTS)

    def getattr(self, obj: Any, attribute: str, expression: str = "") -> object:
        """Return an attribute, or else the value of a key, or else Missing."""
        if isinstance(obj, Missing):
            return obj.part_of(expression)
        own = _ATTRIBUTES[type(obj)]
        if own is not None and attribute not in own:  # a field of a view: the most frequent case
            return self.getitem(obj, attribute, expression)
        try:
            value = getattr(obj, attribute)
        except AttributeError:
            return self.getitem(obj, attribute, expression)
        return value if self.is_safe_attribute(obj, attribute, value) else self.unsafe_undefined(obj, attribute)

    def getitem(self, obj: Any, argument: object, expression: str = "") -> object:
        """Return the value of a key or position, or else Missing; never an attribute."""
        if isinstance(obj, Missing):
            return obj.part_of(expression)
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return Missing(name=expression or str(argument))

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Allow the methods listed above, and what is not private of a view."""
        if attr.startswith("_"):
            return False
        methods = _ALLOWED_METHODS.get(str if isinstance(obj, str) else type(obj))
        if methods is not None:
            return attr in methods
        # A view has texts, lists and mappings; Jinja checks anything else.
        return isinstance(value, (str, list, Mapping)) or super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:  # noqa: ARG002
        """Compute with numbers only: `lead.price * 2` would repeat a text."""
        for side in (left, right):
            if isinstance(side, Missing):
                side.fail()
        if isinstance(left, int | float) and isinstance(right, int | float):
            return _compute(operator, left, right)
        if operator == "+" and isinstance(left, list) and isinstance(right, list):
            return check_list_length(left + right)
        raise RejectDelivery(
            f"{describe_value(left)} {operator} {describe_value(right)} needs numbers: write | int, or ~ to join texts"
        )

    def join_texts(self, values: Iterable[object]) -> str:
        """Return the values joined: what `~` does."""
        return check_text_length("".join(map(to_text, values)))


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise RejectDelivery(f"range() has at most {MAX_RANGE} numbers, asked for {len(numbers)}")
    return numbers


def _compute(sign: str, left: float, right: float) -> object:
    if sign == "**" and abs(right) > MAX_BITS:
        raise RejectDelivery(f"{describe_value(left)} ** {describe_value(right)} is too large")
    result = _ARITHMETIC[sign](left, right)
    if isinstance(result, int) and result.bit_length() <= MAX_BITS:
        return result
    if not isinstance(result, float) or not isfinite(result):
        raise RejectDelivery(f"{describe_value(left)} {sign} {describe_value(right)} is too large, or no real number")
    return result
