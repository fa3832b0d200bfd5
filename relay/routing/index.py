"""Find the routes that an event may match without asking each, by what their conditions say a field is equal to."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from relay.routing.failures import SupportsFields
from relay.routing.nodes import AllOf, Clause, Node
from relay.routing.operators import parse_number
from relay.routing.routes import Route

FEW = 4  # routes: to ask each is as cheap as to look which to ask


class RouteIndex:
    """Routes in the file's order. Of each it knows one field that must equal a value, where its condition says so.

    So an event costs what the routes for its values do, and not what all do: of a hundred routes for a hundred
    statuses one is asked. Routes without such a condition are asked each time.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._fields: dict[str, _ValueIndex] = {}
        self._always: list[int] = []  # their positions
        clauses = [] if len(routes) <= FEW else [list(_equalities(route)) for route in routes]
        distinct = _count_values(clauses)
        for at, of_route in enumerate(clauses):
            if not of_route:
                self._always.append(at)
                continue
            # By the field with the most values: nearly all routes may name one pipeline.
            clause = max(of_route, key=lambda one: distinct[one.field])
            self._fields.setdefault(clause.field, _ValueIndex(clause.read)).add(at, clause)

    def candidates(self, view: SupportsFields) -> Sequence[Route]:
        """Return the routes that an event may match, in the file's order. All others do not match it."""
        if not self._fields:
            return self.routes
        found = {at for field in self._fields.values() for at in field.find(view)}
        return [self.routes[at] for at in sorted(found.union(self._always))]


class _ValueIndex:
    """The positions of routes by the values with which they compare one field, as `eq` and `in` compare."""

    def __init__(self, read: Callable[[SupportsFields], object]) -> None:
        self._read = read
        self._texts: dict[str, list[int]] = {}
        self._numbers: dict[Decimal, list[int]] = {}

    def add(self, at: int, clause: Clause) -> None:
        for operand in clause.operands:
            self._texts.setdefault(str(operand), []).append(at)
            if isinstance(operand, Decimal):
                self._numbers.setdefault(operand, []).append(at)

    def find(self, view: SupportsFields) -> Iterator[int]:
        value = self._read(view)
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, str):
                yield from self._texts.get(one, ())
                if self._numbers and (number := parse_number(one)) is not None:
                    yield from self._numbers.get(number, ())


def _equalities(route: Route) -> Iterator[Clause]:
    """Yield the clauses without which the route does not match and that compare a field with values."""
    return iter(()) if route.where is None else _equal_clauses(route.where.root)


def _equal_clauses(node: Node) -> Iterator[Clause]:
    if isinstance(node, AllOf):
        for part in node.parts:
            yield from _equal_clauses(part)
    elif isinstance(node, Clause) and node.operator in ("eq", "in"):
        yield node


def _count_values(clauses: Sequence[Sequence[Clause]]) -> dict[str, int]:
    values: dict[str, set[str]] = {}
    for of_route in clauses:
        for clause in of_route:
            values.setdefault(clause.field, set()).update(map(str, clause.operands))
    return {field: len(texts) for field, texts in values.items()}
