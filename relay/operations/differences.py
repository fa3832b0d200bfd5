"""Compare what was expected with what is: where they differ, for people and for programs. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from relay.model import AnyJson, Json, Record
from relay.routing.failures import quote_json
from relay.spelling import invisible_blank

_MOST: Final = 20  # differences of one content: more are no help
_SHOWN: Final = 80  # characters of a value
_BEFORE: Final = 20  # of these, before the first that differs


class Difference(Record):
    """One difference. `place` is where it is, such as `content.body.amount`."""

    place: str
    message: str
    expected: AnyJson = None
    actual: AnyJson = None


def compare_json(expected: Json, actual: Json, place: str, *, exact: bool) -> list[Difference]:
    """Return where two values differ; unless `exact`, what `expected` does not name does not count."""
    return [found for found, _ in zip(_compare(expected, actual, place, exact=exact), range(_MOST), strict=False)]


def _compare(expected: Json, actual: Json, place: str, *, exact: bool) -> Iterator[Difference]:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key, value in expected.items():
            if key in actual:
                yield from _compare(value, actual[key], f"{place}.{key}", exact=exact)
            else:
                yield Difference(
                    place=f"{place}.{key}", expected=value, message=f"expected {quote_json(value)}, it is not there"
                )
        for key in actual if exact else ():
            if key not in expected:
                found = actual[key]
                yield Difference(
                    place=f"{place}.{key}", actual=found, message=f"not expected, it is {quote_json(found)}"
                )
    elif isinstance(expected, list | tuple) and isinstance(actual, list | tuple) and len(expected) == len(actual):
        for at, pair in enumerate(zip(expected, actual, strict=True)):
            yield from _compare(*pair, f"{place}.{at}", exact=exact)
    elif expected != actual or isinstance(expected, bool) != isinstance(actual, bool):
        yield differ(place, expected, actual)


def differ(place: str, expected: Json, actual: Json) -> Difference:
    """Return the difference of two values. One that is only of another type is named as that."""
    kinds = ""
    if str(expected) == str(actual) and type(expected) is not type(actual):
        kinds = f": a {_kind(expected)} was expected, it is a {_kind(actual)}"
    elif blank := _odd_blank(str(expected), str(actual)):
        kinds = f": they are the same but for {blank}, which is a part of one"
    message = "expected {}, it is {}".format(*quote_both(expected, actual)) + kinds
    return Difference(place=place, expected=expected, actual=actual, message=message)


def quote_both(one: Json, other: Json) -> tuple[str, str]:
    """Return two values as JSON; of long ones the part that tells them apart."""
    first, second = (json.dumps(value, ensure_ascii=False, default=str) for value in (one, other))
    is_long = max(len(first), len(second)) > _SHOWN
    start = max(_common_length(first, second) - _BEFORE, 0) if is_long else 0
    return _cut(first, start), _cut(second, start)


def _odd_blank(one: str, other: str) -> str:
    """Return the name of a blank that only looks like one, where nothing else tells two texts apart; else ""."""
    plain = [[" " if invisible_blank(letter) else letter for letter in text] for text in (one, other)]
    found = invisible_blank(one) or invisible_blank(other)
    return found[1] if found and plain[0] == plain[1] else ""


def _common_length(one: str, other: str) -> int:
    """Return how many letters two texts begin with alike."""
    return next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), 0)


def _cut(text: str, start: int) -> str:
    """Return the part of a text that tells it from the other: most of it may be the same in both."""
    end = start + _SHOWN
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _kind(value: Json) -> str:
    return "text" if isinstance(value, str) else "number" if isinstance(value, int | float) else "value"
