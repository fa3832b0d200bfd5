"""Check the values that a condition compares with: a field that holds numbers never equals a name."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from relay.amocrm.view_fields import NUMBER_FIELDS
from relay.config.known_answers import known_status
from relay.errors import LocatedMessage, YamlPath
from relay.routing.operators import parse_number

_BY_NAME: Final = {"status_id": "status", "pipeline_id": "pipeline", "responsible_user_id": "responsible"}
_TIMES: Final = frozenset({"created_at", "updated_at"})
_EQUALITIES: Final = frozenset({"eq", "ne", "in"})
_TREES: Final = frozenset({"all", "any", "not", "contact", "contacts", "company", "responsible"})  # and looked up views
_IN_NUMBERS = re.compile(r"[\s\u00a0\u202f_'’₽]|руб\.?|р\.?$")


def check_values(tree: object, path: YamlPath = ("where",)) -> Iterator[LocatedMessage]:
    """Yield what is wrong with the values of a condition, as the file has it, each with its path."""
    if isinstance(tree, list):
        for at, branch in enumerate(tree):
            yield from check_values(branch, (*path, at))
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            if key in NUMBER_FIELDS:
                yield from _check_operands(str(key), value, (*path, str(key)))
            elif key in _TREES:
                yield from check_values(value, (*path, str(key)))


def _check_operands(field: str, value: object, path: YamlPath) -> Iterator[LocatedMessage]:
    if isinstance(value, list):
        for at, one in enumerate(value):
            yield from _check_operands(field, one, (*path, at))
    elif isinstance(value, Mapping):
        for operator in _EQUALITIES & value.keys():
            yield from _check_operands(field, value[operator], (*path, operator))
    elif isinstance(value, str) and value and "{{" not in value and parse_number(value) is None:
        yield path, _message(field, value)


def _message(field: str, written: str) -> str:
    found = f"{field} is a number, and '{written}' is none"
    number = _IN_NUMBERS.sub("", written)
    if parse_number(number) is not None:
        return f"{found}: write {number}"
    if field in _TIMES:
        return f"{found}: write unix seconds, such as 1700000000"
    if field == "action_close":
        return f'{found}: write "1" for closed, "0" for open'
    if "status_id" in field and (status := known_status(written)):
        return f"{found}: write {status[0]}, which is {status[1]} in every pipeline"
    if field in _BY_NAME:
        return f"{found}: for a name write {_BY_NAME[field]}: {written}, after `relay names`"
    return f"{found}: it can never hold"
