"""The filters and tests that a template may use, by name."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

from jinja2 import filters as jinja
from jinja2.tests import TESTS as JINJA_TESTS

from relay.rendering import filters as ours
from relay.rendering.values import Missing, check_list_length, to_text

Filter = Callable[..., Any]


def pass_missing_through(filter_: Filter) -> Filter:
    """Make a filter return a missing value unchanged, so that the end of the chain sees what is missing."""
    position = 1 if hasattr(filter_, "jinja_pass_arg") else 0  # after the context or environment

    @wraps(filter_)
    def passing(*args: Any, **kwargs: Any) -> Any:
        return args[position] if isinstance(args[position], Missing) else filter_(*args, **kwargs)

    return passing


def _text_only(filter_: Filter) -> Filter:
    """Make a filter refuse lists, which Jinja would write as Python does."""

    @wraps(filter_)
    def with_text(value: object, *args: Any, **kwargs: Any) -> Any:
        return filter_(to_text(value), *args, **kwargs)

    return with_text


def _to_list(value: Any) -> list[object]:
    return check_list_length(list(value))


_OUR_FILTERS: Mapping[str, Filter] = {
    "date": ours.date,
    "decimal": ours.decimal,
    "e": ours.escape,
    "escape": ours.escape,
    "float": ours.to_float,
    "int": ours.to_int,
    "join": ours.join,
    "json": ours.as_json,
    "lookup": ours.lookup,
    "minor": ours.minor,
    "money": ours.money,
    "replace": ours.replace,
    "string": to_text,
    "truncate": ours.truncate,
}
_JINJA_TEXT_FILTERS: Mapping[str, Filter] = {
    "capitalize": jinja.do_capitalize,
    "lower": jinja.do_lower,
    "title": jinja.do_title,
    "trim": jinja.do_trim,
    "upper": jinja.do_upper,
    "urlencode": jinja.do_urlencode,
    "wordcount": jinja.do_wordcount,
}
_JINJA_FILTERS = (
    *("abs", "count", "first", "last", "length", "map", "max", "min", "reject", "rejectattr", "reverse"),
    *("select", "selectattr", "sort", "unique"),
)

FILTERS: Final[Mapping[str, Filter]] = {
    **{name: pass_missing_through(jinja.FILTERS[name]) for name in _JINJA_FILTERS},
    **{name: pass_missing_through(_text_only(filter_)) for name, filter_ in _JINJA_TEXT_FILTERS.items()},
    **{name: pass_missing_through(filter_) for name, filter_ in _OUR_FILTERS.items()},
    "list": pass_missing_through(_to_list),
    # These handle missing values themselves.
    "d": ours.default,
    "default": ours.default,
    "omit": ours.omit,
    "phone": ours.phone,
}
"""Jinja's filters, except those that print Python (pprint), are random, or pad without a limit (center); and ours."""

_UNSAFE_TESTS = frozenset({"lower", "upper", "escaped", "callable", "filter", "test"})
_JINJA_TESTS: Mapping[str, Any] = JINJA_TESTS
TESTS: Final[Mapping[str, Any]] = {name: test for name, test in _JINJA_TESTS.items() if name not in _UNSAFE_TESTS}
"""Jinja's tests, except those that print a value or inspect Python objects."""
