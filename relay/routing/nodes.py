"""The parts of a compiled condition. Whether one holds is cheap; why it does not is worked out only when asked."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

from relay.errors import YamlPath
from relay.model import Record
from relay.routing.failures import Failure, SupportsFields, quote_json
from relay.routing.operators import Scalar, Test, parse_number


class Node(Protocol):
    """A part of a condition. `str` of it is the condition for people."""

    def holds(self, view: SupportsFields, /) -> bool:
        """Return whether it holds. Never raises."""

    def failure(self, view: SupportsFields, /) -> Failure:
        """Return why it does not hold. Only called where it does not."""

    def __str__(self) -> str: ...


class Clause(Record):
    """One operator on one field."""

    path: YamlPath
    field: str  # as a person writes it: price, custom "Город"
    operator: str
    expected: object
    operands: tuple[Scalar, ...]  # the values that the test compares with; empty where it compares with none
    read: Callable[[SupportsFields], object]
    test: Test
    place: str = "hook"  # where the value would be

    def __str__(self) -> str:
        return f"{self.field} {self.operator} {quote_json(self.expected)}"

    def holds(self, view: SupportsFields) -> bool:
        """Return whether the value passes the test."""
        return self.test(self.read(view))

    def failure(self, view: SupportsFields) -> Failure:
        """Return a failure with the value that was seen."""
        return Failure(
            path=self.path, operator=self.operator, expected=self.expected, seen=self.read(view), explainer=self
        )

    def explain(self, failure: Failure) -> str:
        """Return the condition and the value that was seen, with a hint if a number was expected."""
        if failure.seen is None:
            return f"{self}: not in the {self.place}"
        if failure.seen == "":
            return f'{self}: saw "" (empty)'
        numeric = bool(self.operands) and all(isinstance(value, Decimal) for value in self.operands)
        hint = " (no plain number)" if numeric and parse_number(failure.seen) is None else ""
        return f"{self}: saw {quote_json(failure.seen)}{hint}"


class Changed(Record):
    """The field differs from the old value that the hook carries beside it; with `expected` false it is the same."""

    path: YamlPath
    field: str
    old_field: str
    expected: bool
    within: str = ""  # the further view that has both; empty: the one that is checked

    def __str__(self) -> str:
        field = f"{self.within} {self.field}" if self.within else self.field
        return f"{field} changed {quote_json(self.expected)}"

    def holds(self, view: SupportsFields) -> bool:
        """Return whether there is an old value and it differs from the new one (or does not, as expected)."""
        old, new = self._values(view)
        return old is not None and ((new or "") != old) is self.expected

    def failure(self, view: SupportsFields) -> Failure:
        """Return a failure with the old and the new value, or with None if the hook has no old one."""
        old, new = self._values(view)
        seen = None if old is None else (old, new)
        return Failure(path=self.path, operator="changed", expected=self.expected, seen=seen, explainer=self)

    def _values(self, view: SupportsFields) -> tuple[object, object]:
        own: Any = view.get(self.within) if self.within else view
        return (None, None) if own is None else (own.get(self.old_field), own.get(self.field))

    def explain(self, failure: Failure) -> str:
        """Return both values, or that there is no old one."""
        if not isinstance(failure.seen, tuple):
            return f"{self}: the hook carries no {self.old_field}"
        old, new = failure.seen
        return f"{self}: was {quote_json(old)}, is {quote_json(new)}"


class AllOf(Record):
    """Every part holds."""

    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.parts))

    def holds(self, view: SupportsFields) -> bool:
        """Return whether every part holds; stop at the first that does not."""
        for part in self.parts:  # noqa: SIM110  all() with a generator costs three times as much
            if not part.holds(view):
                return False
        return True

    def failure(self, view: SupportsFields) -> Failure:
        """Return the failure of the first part that does not hold."""
        return next(part for part in self.parts if not part.holds(view)).failure(view)


class AnyOf(Record):
    """At least one part holds."""

    path: YamlPath
    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return f"({' or '.join(map(str, self.parts))})"

    def holds(self, view: SupportsFields) -> bool:
        """Return whether any part holds; stop at the first that does."""
        return any(part.holds(view) for part in self.parts)

    def failure(self, view: SupportsFields) -> Failure:
        """Return a failure with that of every part."""
        branches = tuple(part.failure(view) for part in self.parts)
        return Failure(path=self.path, operator="any", expected=None, seen=None, explainer=self, branches=branches)

    def explain(self, failure: Failure) -> str:
        """Return why each part failed."""
        return f"none of them holds: {'; '.join(branch.message for branch in failure.branches)}"


class Not(Record):
    """The part does not hold."""

    path: YamlPath
    part: Node

    def __str__(self) -> str:
        return f"not ({self.part})"

    def holds(self, view: SupportsFields) -> bool:
        """Return whether the part fails."""
        return not self.part.holds(view)

    def failure(self, _view: SupportsFields) -> Failure:
        """Return a failure: the part holds."""
        return Failure(path=self.path, operator="not", expected=None, seen=None, explainer=self)

    def explain(self, _failure: Failure) -> str:
        """Return that the part holds."""
        return f"{self}: it holds"
