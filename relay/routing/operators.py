"""The operators of a condition: which operand each takes, and the test that it compiles to.

A test is given texts or lists of texts. It never raises, whatever it is given.
"""

import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

from relay.errors import RelayError
from relay.patterns import PatternError, compile_pattern

Scalar: TypeAlias = str | Decimal
Test: TypeAlias = Callable[[object], bool]
CompiledOperator: TypeAlias = tuple[tuple[Scalar, ...], Test]
"""What an operator compiles to: the values that it compares with, and the test."""

MAX_SEARCHED = 4096  # characters of a value that `matches` searches

_plain_number = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?").fullmatch


class OperandError(RelayError):
    """An operand is wrong for its operator. `at` is the position in a list, if it is one."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.at = at


def parse_number(value: object) -> Decimal | None:
    """Return a plain number ("1500", "-0.5", "+7"), or None: "1 000,50", "1e5" and "" are not plain numbers."""
    return Decimal(value) if isinstance(value, str) and _plain_number(value) else None


def _scalar_operand(value: object) -> Scalar:
    """Return a text or number of the YAML. Raises OperandError."""
    if isinstance(value, bool):
        written = '"1" for true, "0" for false'
        raise OperandError(f"amoCRM never sends {str(value).lower()}: write {written}, or exists: {str(value).lower()}")
    if isinstance(value, int | float):
        return _yaml_number(value)
    if isinstance(value, str):
        if "{{" in value:
            raise OperandError("{{ … }} is no template here: a condition compares with what is written")
        if value:
            return value
        raise OperandError("an empty text does not exist: write exists: false (or exists: true for its opposite)")
    if value is None:
        raise OperandError("there is no value here: write exists: false for an absent or empty field")
    raise OperandError(f"needs a text or a number, saw a {type(value).__name__}")


def _yaml_number(value: float) -> Decimal:
    exact = Decimal(str(value))
    if not exact.is_finite():
        raise OperandError(f"{value} compares with nothing: write a plain number")
    return exact


def _list_operand(value: object) -> tuple[Scalar, ...]:
    if not isinstance(value, list):
        raise OperandError("needs a list of values: [a, b]")
    if not value:
        raise OperandError("can never hold: the list is empty")
    return tuple(_list_element(element, at) for at, element in enumerate(value))


def _list_element(value: object, at: int) -> Scalar:
    try:
        return _scalar_operand(value)
    except OperandError as error:
        raise OperandError(str(error), at) from None


def _single_operand(value: object) -> Scalar:
    if isinstance(value, list):
        raise OperandError("needs one value; for any of several write in: [a, b], or any:")
    return _scalar_operand(value)


def _equality_test(operands: tuple[Scalar, ...]) -> Test:
    texts = frozenset(map(str, operands))  # a number that is written the same needs no parsing
    numbers = frozenset(operand for operand in operands if isinstance(operand, Decimal))

    def one(value: object) -> bool:
        return isinstance(value, str) and (value in texts or (bool(numbers) and parse_number(value) in numbers))

    return lambda value: any(map(one, value)) if isinstance(value, list) else one(value)


def _eq(value: object) -> CompiledOperator:
    operands = (_single_operand(value),)
    return operands, _equality_test(operands)


def _in(value: object) -> CompiledOperator:
    operands = _list_operand(value)
    return operands, _equality_test(operands)


def _ne(value: object) -> CompiledOperator:
    """Compile the opposite of eq (of a list: in): an absent field is not equal to anything."""
    operands = _list_operand(value) if isinstance(value, list) else (_scalar_operand(value),)
    equal = _equality_test(operands)
    return operands, lambda seen: not equal(seen)


def _comparison(compare: Callable[[Decimal, Decimal], bool]) -> Callable[[object], CompiledOperator]:
    def compiled(value: object) -> CompiledOperator:
        operand = _single_operand(value)
        bound = operand if isinstance(operand, Decimal) else parse_number(operand)
        if bound is None:
            raise OperandError(f'can never hold: it compares numbers, and "{operand}" is none')
        return (bound,), lambda seen: (exact := parse_number(seen)) is not None and compare(exact, bound)

    return compiled


def _exists(value: object) -> CompiledOperator:
    if not isinstance(value, bool):
        raise OperandError("needs true or false")
    return (), has_value if value else lambda seen: not has_value(seen)


def has_value(value: object) -> bool:
    """Return whether a value exists: an empty text does not, nor a list of empty texts."""
    return any(value) if isinstance(value, list) else value is not None and value != ""


def _matches(value: object) -> CompiledOperator:
    if not isinstance(value, str) or not value:
        raise OperandError("needs a regular expression as text: quote it")
    try:
        search = compile_pattern(value)
    except PatternError as error:
        raise OperandError(str(error)) from None

    def one(seen: object) -> bool:
        return isinstance(seen, str) and search(seen[:MAX_SEARCHED])

    return (), lambda seen: any(map(one, seen)) if isinstance(seen, list) else one(seen)


def _contains(value: object) -> CompiledOperator:
    """Compile a search for an element in a list, or for a part of a text."""
    operands = _single_operand(value)
    part, element = str(operands), _equality_test((operands,))
    return (), lambda seen: part in seen if isinstance(seen, str) else element(seen)


OPERATORS: dict[str, Callable[[object], CompiledOperator]] = {
    "eq": _eq,
    "ne": _ne,
    "in": _in,
    "gt": _comparison(operator.gt),
    "gte": _comparison(operator.ge),
    "lt": _comparison(operator.lt),
    "lte": _comparison(operator.le),
    "exists": _exists,
    "matches": _matches,
    "contains": _contains,
}
"""The operators by name. `changed` is not here: it reads two fields."""
