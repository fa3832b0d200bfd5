"""The operators of a condition: what operand each takes, and the test it makes of it.

Values arrive as texts or lists of texts. A test never raises, whatever it is given.
"""

import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

from relay.errors import RelayError

Scalar: TypeAlias = str | Decimal
Test: TypeAlias = Callable[[object], bool]
CompiledOperator: TypeAlias = tuple[tuple[Scalar, ...], Test]
"""What an operator makes of its operand: the values it compares with, and the test."""

MAX_SEARCHED = 4096  # characters of a value that `matches` searches: an expression may be slow, so its subject is short

_plain_number = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?").fullmatch


class OperandError(RelayError):
    """An operator cannot work with what it was given. `at` is the position in a list, where it is one."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.at = at


def parse_number(value: object) -> Decimal | None:
    """Read a plain number ("1500", "-0.5"), or return None: "1 000,50", "1e5" and "" are none."""
    return Decimal(value) if isinstance(value, str) and _plain_number(value) else None


def _scalar_operand(value: object) -> Scalar:
    """Read a text or number of the YAML, or raise OperandError."""
    if isinstance(value, bool):
        raise OperandError(f"{str(value).lower()} is a truth value: quote it, or use exists")
    if isinstance(value, int | float):
        return _yaml_number(value)
    if isinstance(value, str):
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


def _equality_test(wanted: tuple[Scalar, ...]) -> Test:
    texts = frozenset(map(str, wanted))  # a number that is spelled the same needs no reading
    numbers = frozenset(operand for operand in wanted if isinstance(operand, Decimal))

    def one(value: object) -> bool:
        return isinstance(value, str) and (value in texts or (bool(numbers) and parse_number(value) in numbers))

    return lambda value: any(map(one, value)) if isinstance(value, list) else one(value)


def _eq(value: object) -> CompiledOperator:
    wanted = (_single_operand(value),)
    return wanted, _equality_test(wanted)


def _in(value: object) -> CompiledOperator:
    wanted = _list_operand(value)
    return wanted, _equality_test(wanted)


def _ne(value: object) -> CompiledOperator:
    """Hold exactly where eq (of a list: in) does not: an absent field is not equal to anything."""
    wanted = _list_operand(value) if isinstance(value, list) else (_scalar_operand(value),)
    equal = _equality_test(wanted)
    return wanted, lambda seen: not equal(seen)


def _comparison(compare: Callable[[Decimal, Decimal], bool]) -> Callable[[object], CompiledOperator]:
    def made(value: object) -> CompiledOperator:
        operand = _single_operand(value)
        bound = operand if isinstance(operand, Decimal) else parse_number(operand)
        if bound is None:
            raise OperandError(f'can never hold: it compares numbers, and "{operand}" is none')
        return (bound,), lambda seen: (exact := parse_number(seen)) is not None and compare(exact, bound)

    return made


def _exists(value: object) -> CompiledOperator:
    if not isinstance(value, bool):
        raise OperandError("needs true or false")
    return (), has_value if value else lambda seen: not has_value(seen)


def has_value(value: object) -> bool:
    """Return whether a value exists: an empty text, or a list of nothing but such, does not."""
    return any(value) if isinstance(value, list) else value is not None and value != ""


def _matches(value: object) -> CompiledOperator:
    if not isinstance(value, str) or not value:
        raise OperandError("needs a regular expression as text: quote it")
    try:
        search = re.compile(value).search
    except (re.error, OverflowError, RecursionError) as error:
        raise OperandError(f'"{value}" is no regular expression: {error}') from None

    def one(seen: object) -> bool:
        return isinstance(seen, str) and search(seen[:MAX_SEARCHED]) is not None

    return (), lambda seen: any(map(one, seen)) if isinstance(seen, list) else one(seen)


def _contains(value: object) -> CompiledOperator:
    """Look for an element in a list, for a part in a text."""
    wanted = _single_operand(value)
    part, element = str(wanted), _equality_test((wanted,))
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
"""What each operator makes of its operand. `changed` is not here: it looks at two fields."""
