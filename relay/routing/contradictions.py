"""Find operators of one field that can never hold together."""

import operator
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

from relay.routing.operators import Scalar, parse_number

Operands: TypeAlias = Mapping[str, tuple[Scalar, ...]]

_COMPARE = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def find_contradiction(operators: Mapping[object, object], operands: Operands) -> tuple[str, str] | None:
    """Return the operator that cannot hold beside the others, and the reason; None if all can hold together.

    `operators` is the mapping of the YAML, `operands` has the values that each operator compares with.
    """
    if operators.get("exists") is False and len(operators) > 1:
        return "exists", "false allows no other operator beside it: what does not exist has no value to test"
    return _empty_range(operands) or _no_value_left(operands)


def _empty_range(operands: Operands) -> tuple[str, str] | None:
    for low in ("gt", "gte"):
        for high in ("lt", "lte"):
            if low in operands and high in operands and _is_empty(low, high, operands):
                return high, f"can never hold: no number is in both this and {low} {operands[low][0]}"
    return None


def _is_empty(low: str, high: str, operands: Operands) -> bool:
    least, most = Decimal(operands[low][0]), Decimal(operands[high][0])
    return least > most or (least == most and (low, high) != ("gte", "lte"))


def _no_value_left(operands: Operands) -> tuple[str, str] | None:
    for name in ("eq", "in"):
        if name in operands and not any(_allowed(value, operands) for value in operands[name]):
            others = ", ".join(other for other in operands if other in _COMPARE or other == "ne")
            return name, f"can never hold: {others} beside it leaves nothing of what it allows"
    return None


def _allowed(value: Scalar, operands: Operands) -> bool:
    if value in operands.get("ne", ()):
        return False
    bounds = [(_COMPARE[name], Decimal(bound[0])) for name, bound in operands.items() if name in _COMPARE]
    exact = value if isinstance(value, Decimal) else parse_number(value)
    return all(exact is not None and compare(exact, bound) for compare, bound in bounds)
