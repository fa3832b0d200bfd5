"""Routes, and whether an event takes one."""

from collections.abc import Mapping
from typing import Protocol

from relay.model import Event, Record
from relay.routing.conditions import Condition
from relay.routing.failures import Failure, SupportsFields, quote_json


class Renderer(Protocol):
    """What a route makes of an event's views: compiled once, rendered for every event that it takes."""

    def render(self, context: Mapping[str, object], /) -> object:
        """Return a JSON-able value; raise MissingValue, SkipDelivery or RejectDelivery."""


class Route(Record):
    """A named rule: on which events of which sources, where what holds, to which sinks, with what content."""

    name: str
    on: frozenset[str]
    sinks: tuple[str, ...]  # of one type
    content: Renderer
    sources: frozenset[str] | None = None  # None: every source
    where: Condition | None = None
    once: Renderer | None = None  # its result is the key of the only delivery
    fetch: frozenset[str] = frozenset()  # what is looked up in the account before the content is made
    where_fetched: Condition | None = None  # the part of `where` that looks at what was looked up


class _Membership(Record):
    """That the event's source or name is one of the route's."""

    what: str
    wanted: frozenset[str]

    def failure(self, seen: str) -> Failure:
        return Failure(path=(self.what,), operator="in", expected=self.wanted, seen=seen, explainer=self)

    def explain(self, failure: Failure) -> str:
        return f"{self.what} in {quote_json(sorted(self.wanted))}: saw {quote_json(failure.seen)}"


def check_route(route: Route, event: Event, names: frozenset[str], view: SupportsFields) -> Failure | None:
    """Return None when the event takes the route, else the first reason why not: source, name, then condition.

    `names` are all the names that the event answers to, its own included.
    """
    if route.sources is not None and event.source not in route.sources:
        return _Membership(what="source", wanted=route.sources).failure(event.source)
    if route.on.isdisjoint(names):
        return _Membership(what="on", wanted=route.on).failure(event.name)
    return route.where.check(view) if route.where is not None else None
