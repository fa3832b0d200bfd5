"""The parts of a compiled condition: each says whether it holds, and explains a failure only when asked."""

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from relay.model import Record
from relay.routing.failures import Failure, Path, SupportsFields, quote_json
from relay.routing.operators import Scalar, Test, parse_number


class Node(Protocol):
    """A part of a condition. Its text is the condition as a person reads it."""

    def holds(self, view: SupportsFields, /) -> bool:
        """Return whether it holds. Never raises."""

    def failure(self, view: SupportsFields, /) -> Failure:
        """Return the reason why it does not hold. Only asked where it does not."""

    def __str__(self) -> str: ...


class Clause(Record):
    """One operator on one field."""

    path: Path
    field: str  # as a person writes it: price, custom "Город"
    operator: str
    expected: object
    wanted: tuple[Scalar, ...]  # the values that the test compares with, where it does
    read: Callable[[SupportsFields], object]
    test: Test

    def __str__(self) -> str:
        return f"{self.field} {self.operator} {quote_json(self.expected)}"

    def holds(self, view: SupportsFields) -> bool:
        """Return whether the value passes the test."""
        return self.test(self.read(view))

    def failure(self, view: SupportsFields) -> Failure:
        """Return the value that was seen."""
        return Failure(
            path=self.path, operator=self.operator, expected=self.expected, seen=self.read(view), explainer=self
        )

    def explain(self, failure: Failure) -> str:
        """Show the value beside what was wanted, and what is odd about it."""
        if failure.seen is None:
            return f"{self}: not in the hook"
        if failure.seen == "":
            return f'{self}: saw "" (empty)'
        numeric = bool(self.wanted) and all(isinstance(value, Decimal) for value in self.wanted)
        odd = " (no plain number)" if numeric and parse_number(failure.seen) is None else ""
        return f"{self}: saw {quote_json(failure.seen)}{odd}"


class Changed(Record):
    """Whether a field differs from the old value that the hook carries beside it."""

    path: Path
    field: str
    old: str  # the field that has the old value
    expected: bool

    def __str__(self) -> str:
        return f"{self.field} changed {quote_json(self.expected)}"

    def holds(self, view: SupportsFields) -> bool:
        """Return whether both values are there and differ (or do not, as expected)."""
        old = view.get(self.old)
        return old is not None and ((view.get(self.field) or "") != old) is self.expected

    def failure(self, view: SupportsFields) -> Failure:
        """Return the old value and the new one, or None where there is no old one."""
        old = view.get(self.old)
        seen = None if old is None else (old, view.get(self.field))
        return Failure(path=self.path, operator="changed", expected=self.expected, seen=seen, explainer=self)

    def explain(self, failure: Failure) -> str:
        """Show both values, or say that there is no old one."""
        if not isinstance(failure.seen, tuple):
            return f"{self}: the hook carries no {self.old}"
        old, new = failure.seen
        return f"{self}: was {quote_json(old)}, is {quote_json(new)}"


class AllOf(Record):
    """Every part holds."""

    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.parts))

    def holds(self, view: SupportsFields) -> bool:
        """Return whether every part holds; the first that does not ends it."""
        for part in self.parts:  # noqa: SIM110  all() with a generator costs three times as much
            if not part.holds(view):
                return False
        return True

    def failure(self, view: SupportsFields) -> Failure:
        """Explain the first part that does not hold."""
        return next(part for part in self.parts if not part.holds(view)).failure(view)


class AnyOf(Record):
    """At least one part holds."""

    path: Path
    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return f"({' or '.join(map(str, self.parts))})"

    def holds(self, view: SupportsFields) -> bool:
        """Return whether a part holds; the first that does ends it."""
        return any(part.holds(view) for part in self.parts)

    def failure(self, view: SupportsFields) -> Failure:
        """Explain every part."""
        branches = tuple(part.failure(view) for part in self.parts)
        return Failure(path=self.path, operator="any", expected=None, seen=None, explainer=self, branches=branches)

    def explain(self, failure: Failure) -> str:
        """Return why each part failed."""
        return f"none of them holds: {'; '.join(branch.message for branch in failure.branches)}"


class Not(Record):
    """The part does not hold."""

    path: Path
    part: Node

    def __str__(self) -> str:
        return f"not ({self.part})"

    def holds(self, view: SupportsFields) -> bool:
        """Return whether the part fails."""
        return not self.part.holds(view)

    def failure(self, _view: SupportsFields) -> Failure:
        """Return that the part holds."""
        return Failure(path=self.path, operator="not", expected=None, seen=None, explainer=self)

    def explain(self, _failure: Failure) -> str:
        """Show what was not to hold."""
        return f"{self}: it holds"
