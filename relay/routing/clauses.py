"""Compile the condition of one field: a value, a list or a mapping of operators."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from relay.errors import LocatedMessage, YamlPath
from relay.model import Record
from relay.routing.contradictions import find_contradiction
from relay.routing.failures import SupportsFields
from relay.routing.nodes import AllOf, Changed, Clause, Node
from relay.routing.operators import OPERATORS, OperandError
from relay.spelling import look_alike, nearest_name

Errors: TypeAlias = list[LocatedMessage]

_ALL_OPERATORS = (*OPERATORS, "changed")
_LISTED = ", ".join(_ALL_OPERATORS)
_KNOWN_ANSWERS = {
    **dict.fromkeys(("=", "==", "equals", "equal", "is"), "eq"),
    **dict.fromkeys(("!=", "<>", "not", "not_in", "nin", "neq", "is_not", "not_equal"), "ne"),
    **dict.fromkeys((">", "greater", "more", "above", "after"), "gt"),
    **dict.fromkeys((">=", "ge", "min", "from", "at_least"), "gte"),
    **dict.fromkeys(("<", "less", "below", "before"), "lt"),
    **dict.fromkeys(("<=", "le", "max", "at_most"), "lte"),
    **dict.fromkeys(("like", "regex", "regexp", "re", "~", "=~", "match", "startswith", "endswith"), "matches"),
    **dict.fromkeys(("includes", "include", "has"), "contains"),
    **dict.fromkeys(("one_of", "any_of", "oneof"), "in"),
    **dict.fromkeys(("empty", "is_empty", "null", "is_null", "missing"), "exists: false"),
    **dict.fromkeys(("not_empty", "not_null", "present"), "exists: true"),
    "between": "gte and lte",
}


class ConditionField(Record):
    """A field that a condition reads."""

    name: str  # as a person writes it: price, custom "Город"
    read: Callable[[SupportsFields], object]
    has_old: bool  # amoCRM sends old_<field> for some fields, never for custom ones
    place: str = "hook"  # where it would be
    view: str = ""  # the further view that it is of, where that has old values


def compile_field(field: ConditionField, value: object, path: YamlPath, errors: Errors) -> Node:
    """Compile the condition of a field. What is wrong with it is added to `errors`."""
    if isinstance(value, Mapping):
        return _mapping(field, value, path, errors)
    return _clause(field, "in" if isinstance(value, list) else "eq", value, path, errors)


def add_error(errors: Errors, path: YamlPath, message: str) -> Node:
    """Add an error, and return a placeholder for the part that cannot be compiled: it is never run."""
    errors.append((path, message))
    return AllOf(parts=())


def _mapping(field: ConditionField, tree: Mapping[object, object], path: YamlPath, errors: Errors) -> Node:
    if not tree:
        return add_error(errors, path, f"has no operator: write one of {', '.join(_ALL_OPERATORS)}")
    before = len(errors)
    parts = tuple(_operator(field, str(key), value, (*path, str(key)), errors) for key, value in tree.items())
    if len(errors) == before:
        found = find_contradiction(tree, {part.operator: part.operands for part in parts if isinstance(part, Clause)})
        if found:
            return add_error(errors, (*path, found[0]), found[1])
    return parts[0] if len(parts) == 1 else AllOf(parts=parts)


def _operator(field: ConditionField, operator: str, value: object, path: YamlPath, errors: Errors) -> Node:
    if operator == "changed":
        return _changed(field, value, path, errors)
    if operator not in OPERATORS:
        return add_error(errors, path, _unknown(operator))
    return _clause(field, operator, value, path, errors)


def _clause(field: ConditionField, operator: str, value: object, path: YamlPath, errors: Errors) -> Node:
    try:
        operands, test = OPERATORS[operator](value)
    except OperandError as error:
        return add_error(errors, path if error.at is None else (*path, error.at), str(error))
    return Clause(
        path=path,
        field=field.name,
        operator=operator,
        expected=value,
        operands=operands,
        read=field.read,
        test=test,
        place=field.place,
    )


def _changed(field: ConditionField, value: object, path: YamlPath, errors: Errors) -> Node:
    if not field.has_old:
        message = "can never hold: there are old values of an event's own fields only, not of custom ones"
        return add_error(errors, path, message)
    if not isinstance(value, bool):
        return add_error(errors, path, "needs true or false")
    name = field.name.removeprefix(f"{field.view} ")
    return Changed(path=path, field=name, old_field=f"old_{name}", expected=value, within=field.view)


def _unknown(operator: str) -> str:
    if problem := look_alike(operator, _ALL_OPERATORS):
        return f"unknown operator {operator}; {problem}"
    plain = operator.lower().lstrip("$")
    meant = _KNOWN_ANSWERS.get(plain) or nearest_name(plain, _ALL_OPERATORS)
    return f"unknown operator {operator}; {f'did you mean {meant}?' if meant else f'known are {_LISTED}'}"
