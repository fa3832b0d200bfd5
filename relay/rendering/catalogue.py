"""Every filter that a template may use, by name."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

from jinja2 import filters as jinja
from jinja2.tests import TESTS as JINJA_TESTS

from relay.rendering import filters as ours
from relay.rendering.values import Missing, bounded, text

Filter = Callable[..., Any]


def _handing_on(filter_: Filter) -> Filter:
    """Return a missing value on as it is, so that the end of the chain sees what is missing."""
    position = 1 if hasattr(filter_, "jinja_pass_arg") else 0  # after the context or environment

    @wraps(filter_)
    def handing_on(*args: Any, **kwargs: Any) -> Any:
        return args[position] if isinstance(args[position], Missing) else filter_(*args, **kwargs)

    return handing_on


def _of_text(filter_: Filter) -> Filter:
    """Refuse lists, which Jinja would write as Python does."""

    @wraps(filter_)
    def of_text(value: object, *args: Any, **kwargs: Any) -> Any:
        return filter_(text(value), *args, **kwargs)

    return of_text


def _listed(value: Any) -> list[object]:
    return bounded(list(value))


_OURS: Mapping[str, Filter] = {
    "date": ours.date,
    "decimal": ours.decimal,
    "e": ours.escape,
    "escape": ours.escape,
    "float": ours.fraction,
    "int": ours.whole,
    "join": ours.join,
    "json": ours.as_json,
    "lookup": ours.lookup,
    "minor": ours.minor,
    "money": ours.money,
    "replace": ours.replace,
    "string": text,
    "truncate": ours.truncate,
}
_OF_TEXT: Mapping[str, Filter] = {
    "capitalize": jinja.do_capitalize,
    "lower": jinja.do_lower,
    "title": jinja.do_title,
    "trim": jinja.do_trim,
    "upper": jinja.do_upper,
    "urlencode": jinja.do_urlencode,
    "wordcount": jinja.do_wordcount,
}
_JINJA = (
    *("abs", "count", "first", "last", "length", "map", "max", "min", "reject", "rejectattr", "reverse"),
    *("select", "selectattr", "sort", "unique"),
)

FILTERS: Final[Mapping[str, Filter]] = {
    **{name: _handing_on(jinja.FILTERS[name]) for name in _JINJA},
    **{name: _handing_on(_of_text(filter_)) for name, filter_ in _OF_TEXT.items()},
    **{name: _handing_on(filter_) for name, filter_ in _OURS.items()},
    "list": _handing_on(_listed),
    # These look at what is missing, or stand for it.
    "d": ours.default,
    "default": ours.default,
    "omit": ours.omit,
    "phone": ours.phone,
}
"""Jinja's own are here unless they print Python (pprint), invent (random) or pad without a limit (center)."""

_REFUSED = frozenset({"lower", "upper", "escaped", "callable", "filter", "test"})
_JINJA_TESTS: Mapping[str, Any] = JINJA_TESTS
TESTS: Final[Mapping[str, Any]] = {name: test for name, test in _JINJA_TESTS.items() if name not in _REFUSED}
"""Every test that a template may use, by name: Jinja's, without those that print a value or look at Python."""
