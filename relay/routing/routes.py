"""Routes, and whether an event matches one."""

from collections.abc import Mapping
from typing import Protocol

from relay.model import Event, Record
from relay.routing.conditions import Condition
from relay.routing.failures import Failure, SupportsFields, quote_json


class Renderer(Protocol):
    """A compiled content or template, rendered for every event that matches its route."""

    def render(self, context: Mapping[str, object], /) -> object:
        """Return a JSON-able value. Raises MissingValue, SkipDelivery or RejectDelivery."""


class Route(Record):
    """A named rule: which events of which sources go to which sinks, under what condition and with what content."""

    name: str
    on: frozenset[str]
    sinks: tuple[str, ...]  # of one type
    content: Renderer
    sources: frozenset[str] | None = None  # None: every source
    where: Condition | None = None
    once: Renderer | None = None  # renders the key of which there is only one delivery
    order: Renderer | None = None  # renders the key of which one after the other is delivered
    latest: Renderer | None = None  # renders the key of which only the newest that waits is
    fetch: frozenset[str] = frozenset()  # what is looked up in the account before the content is rendered
    follows: frozenset[str] = frozenset()  # the routes on whose deliveries it is, with `on: delivered`
    each: bool = False  # of facts: each alone, not what is alike together
    shadow: bool = False  # its deliveries are made and kept, and never sent
    where_fetched: Condition | None = None  # the part of `where` that reads what was looked up


class _Membership(Record):
    """The condition that the event's source or name is one of the route's."""

    kind: str
    allowed: frozenset[str]

    def failure(self, seen: str) -> Failure:
        return Failure(path=(self.kind,), operator="in", expected=self.allowed, seen=seen, explainer=self)

    def explain(self, failure: Failure) -> str:
        return f"{self.kind} in {quote_json(sorted(self.allowed))}: saw {quote_json(failure.seen)}"


def matches_route(route: Route, event: Event, names: frozenset[str], view: SupportsFields) -> bool:
    """Return whether the event matches the route, as `check_route` says it; why not costs several times as much.

    `names` are all the names under which the event may be routed.
    """
    return (
        (route.sources is None or event.source in route.sources)
        and not route.on.isdisjoint(names)
        and (route.where is None or route.where.root.holds(view))
    )


def check_route(route: Route, event: Event, names: frozenset[str], view: SupportsFields) -> Failure | None:
    """Return None if the event matches the route, else the first reason why not: source, name, then condition.

    `names` are all the names under which the event may be routed.
    """
    if route.sources is not None and event.source not in route.sources:
        return _Membership(kind="source", allowed=route.sources).failure(event.source)
    if route.on.isdisjoint(names):
        return _Membership(kind="on", allowed=route.on).failure(event.name)
    return route.where.check(view) if route.where is not None else None
