"""One field of a condition: its value, list or mapping of operators, compiled."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TypeAlias

from relay.model import Record
from relay.routing.contradictions import find_contradiction
from relay.routing.failures import Path, SupportsFields
from relay.routing.nodes import AllOf, Changed, Clause, Node
from relay.routing.operators import OPERATORS, OperandError

Finding: TypeAlias = tuple[Path, str]

_ALL_OPERATORS = (*OPERATORS, "changed")
_SYMBOLS = {"=": "eq", "==": "eq", "!=": "ne", "<>": "ne", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


class ConditionField(Record):
    """What a clause looks at."""

    name: str  # as a person writes it: price, custom "Город"
    read: Callable[[SupportsFields], object]
    has_old: bool  # amoCRM sends old_<field> for some fields, for custom ones never


def compile_field(subject: ConditionField, value: object, path: Path, errors: list[Finding]) -> Node:
    """Compile what the YAML says about one field; what is wrong with it is added to `errors`."""
    if isinstance(value, Mapping):
        return _mapping(subject, value, path, errors)
    return _clause(subject, "in" if isinstance(value, list) else "eq", value, path, errors)


def add_error(errors: list[Finding], path: Path, message: str) -> Node:
    """Keep a finding, and stand in for the part that could not be compiled. Nobody will run it."""
    errors.append((path, message))
    return AllOf(parts=())


def _mapping(subject: ConditionField, tree: Mapping[object, object], path: Path, errors: list[Finding]) -> Node:
    if not tree:
        return add_error(errors, path, f"has no operator: write one of {', '.join(_ALL_OPERATORS)}")
    before = len(errors)
    parts = tuple(_operator(subject, str(key), value, (*path, str(key)), errors) for key, value in tree.items())
    if len(errors) == before:
        found = find_contradiction(tree, {part.operator: part.wanted for part in parts if isinstance(part, Clause)})
        if found:
            return add_error(errors, (*path, found[0]), found[1])
    return parts[0] if len(parts) == 1 else AllOf(parts=parts)


def _operator(subject: ConditionField, operator: str, value: object, path: Path, errors: list[Finding]) -> Node:
    if operator == "changed":
        return _changed(subject, value, path, errors)
    if operator not in OPERATORS:
        return add_error(errors, path, _unknown(operator))
    return _clause(subject, operator, value, path, errors)


def _clause(subject: ConditionField, operator: str, value: object, path: Path, errors: list[Finding]) -> Node:
    try:
        wanted, test = OPERATORS[operator](value)
    except OperandError as error:
        return add_error(errors, path if error.at is None else (*path, error.at), str(error))
    return Clause(
        path=path, field=subject.name, operator=operator, expected=value, wanted=wanted, read=subject.read, test=test
    )


def _changed(subject: ConditionField, value: object, path: Path, errors: list[Finding]) -> Node:
    if not subject.has_old:
        return add_error(errors, path, "can never hold: there are no old values of custom and of looked up fields")
    if not isinstance(value, bool):
        return add_error(errors, path, "needs true or false")
    return Changed(path=path, field=subject.name, old=f"old_{subject.name}", expected=value)


def _unknown(operator: str) -> str:
    meant = get_close_matches(operator.lower(), _ALL_OPERATORS, 1) or [
        _SYMBOLS[key] for key in (operator,) if key in _SYMBOLS
    ]
    hint = f"did you mean {meant[0]}?" if meant else f"known are {', '.join(_ALL_OPERATORS)}"
    return f"unknown operator {operator}; {hint}"
