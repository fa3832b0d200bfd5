"""Chains: routes on `delivered` follow other routes, by the names in their `where`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from relay.config.report import Report
from relay.config.schema import RouteSettings
from relay.config.suggestions import did_you_mean
from relay.errors import YamlPath
from relay.events import ViewFields, fields_of_views
from relay.facts.kinds import ANSWER, ANSWER_FIELDS, DELIVERED, FACT_VIEWS

MOST_CHAINED: Final = 5
"""Deliveries that may follow each other; the scripts of the store have the same."""


def followed_routes(route: RouteSettings) -> tuple[str, ...]:
    """Return the names of the routes that a route on `delivered` follows; none where it does not say it."""
    if DELIVERED not in route.on or not isinstance(route.where, Mapping):
        return ()
    named = route.where.get("route")
    names = named if isinstance(named, list) else [named]
    known = tuple(name for name in names if isinstance(name, str))
    return known if len(known) == len(names) else ()


def check_chains(routes: Mapping[int, RouteSettings], report: Report) -> None:
    """Report routes on `delivered` that follow nothing, and chains that come back to their begin or are too long."""
    by_name = {route.name: (at, route) for at, route in routes.items()}
    for at, route in routes.items():
        path: YamlPath = ("routes", at)
        if DELIVERED not in route.on:
            continue
        if len(route.on) > 1:
            report.error((*path, "on"), "on: delivered tells of each delivery alone: write a route of its own for it")
        if route.each:
            report.key_error((*path, "each"), "each: every delivery is told of alone already")
        if not followed_routes(route):
            message = "on: delivered follows routes by name: write where: {route: name}, or a list of names"
            report.key_error((*path, "where") if route.where is not None else path, message)
        for name in followed_routes(route):
            if name not in by_name:
                report.error((*path, "where", "route"), f"unknown route {name}, {did_you_mean(name, by_name)}")
        for chain in _chains(route, by_name):
            _check_chain((*path, "where", "route"), chain, report)


def _chains(route: RouteSettings, by_name: Mapping[str, tuple[int, RouteSettings]]) -> Iterator[list[str]]:
    """Yield what leads to a route, itself first; a chain that comes back ends with the name that it has twice."""
    waiting = [[route.name]]
    while waiting:
        chain = waiting.pop()
        before = by_name.get(chain[-1])
        names = followed_routes(before[1]) if before else ()
        if chain[-1] in chain[:-1] or not names:
            yield chain
        else:
            waiting += [[*chain, name] for name in names]


def _check_chain(path: YamlPath, chain: Sequence[str], report: Report) -> None:
    shown = " → ".join(reversed(chain))
    if chain[-1] == chain[0] and len(chain) > 1:
        report.error(path, f"the chain comes back to itself, for ever: {shown}")
    elif chain[-1] not in chain[:-1] and len(chain) > MOST_CHAINED + 1:
        report.error(path, f"the chain is too long, {MOST_CHAINED} may follow the first: {shown}")


def views_in_where(route: RouteSettings, routes: Mapping[str, RouteSettings]) -> ViewFields:
    """Return the views that `where` of a route looks into, and the fields of each; none where it begins no chain.

    What a delivery has a field of the same name for is none of them.
    """
    if DELIVERED not in route.on:
        return {}
    delivery = FACT_VIEWS["delivery"]["delivery"]
    views = {**views_of_chain(route, routes), ANSWER: ANSWER_FIELDS, "delivery": delivery}
    return {name: fields for name, fields in views.items() if name not in {*delivery, "fact"}}


def views_of_chain(route: RouteSettings, routes: Mapping[str, RouteSettings]) -> ViewFields:
    """Return the views of the events that a chain begins with, and the fields of each."""
    views: dict[str, frozenset[str]] = {}
    seen, waiting = {route.name}, list(followed_routes(route))
    while waiting:
        name = waiting.pop()
        followed = routes.get(name)
        if followed is None or name in seen:
            continue
        seen.add(name)
        waiting += followed_routes(followed)
        for event in followed.on:
            views |= fields_of_views(event)
    return views
