"""Check what `where` of a route on `delivered` says of the delivery that arrived, of its event and of the answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from relay.amocrm.view_fields import VIEW_FIELDS
from relay.config.account_names import AccountNames
from relay.config.account_uses import FoundUses
from relay.config.chains import followed_routes
from relay.config.condition_values import check_values
from relay.config.name_resolution import resolve_view
from relay.config.report import Report
from relay.config.schema import RouteSettings
from relay.config.sections import Sections
from relay.config.suggestions import did_you_mean
from relay.errors import YamlPath
from relay.events import EVENT_ENTITIES, ViewFields
from relay.facts.kinds import ANSWER, FACT_VIEWS
from relay.routing.operators import parse_number

_TREES: Final = ("all", "any", "not")
_OF_ACCOUNT: Final = ("lead", "contact", "company")  # views whose fields have ids of the account
_DELIVERY: Final = FACT_VIEWS["delivery"]["delivery"]


def resolve_chain(
    at: int, route: RouteSettings, sections: Sections, names: Mapping[str, AccountNames], uses: FoundUses
) -> RouteSettings:
    """Return a route on `delivered` with ids in place of names, by the accounts of the routes that it follows.

    Ids that none of them has are reported.
    """
    followed = [one for one in sections.routes.values() if one.name in followed_routes(route)]
    sources = {name for one in followed for name in (sections.source_names if one.source is None else one.source)}
    if not sources:
        return route

    def resolve(tree: Any, path: YamlPath) -> Any:
        if isinstance(tree, list):
            return [resolve(branch, (*path, branch_at)) for branch_at, branch in enumerate(tree)]
        return (
            {key: entry(key, value, (*path, key)) for key, value in tree.items()} if isinstance(tree, Mapping) else tree
        )

    def entry(key: Any, value: Any, path: YamlPath) -> Any:
        if key in _TREES:
            return resolve(value, path)
        if key in _OF_ACCOUNT and isinstance(value, Mapping):
            return resolve_view(route, key, value, path, sources, names, uses)
        return value

    return route.model_copy(update={"where": resolve(route.where, ("routes", at, "where"))})


@dataclass(frozen=True)
class ChainConditions:
    """Checks the condition of one route. `views`: what it may look into, and the fields of each."""

    route: RouteSettings
    sections: Sections
    views: ViewFields
    report: Report

    def check(self, tree: object, path: YamlPath) -> bool:
        """Report what can never hold. Returns whether every view that it looks into is one of the chain."""
        all_known = True
        for place, key, value in _entries(tree, path):
            if key in self.views and isinstance(value, Mapping):
                self._check_view(key, value, place)
            elif key in _DELIVERY:
                self._check_delivery(key, value, place)
            elif key in VIEW_FIELDS and isinstance(value, Mapping):
                message = f"can never hold: {self._followed()} is on no event that has a {key}"
                self.report.key_error(place, message)
                all_known = False
        return all_known

    def _check_view(self, view: str, tree: Mapping[Any, Any], path: YamlPath) -> None:
        if view in VIEW_FIELDS:
            for place, message in check_values(tree, path):
                self.report.error(place, message)
        elif view == "delivery":
            for key, value in tree.items():
                self._check_delivery(str(key), value, (*path, key))
        elif view == ANSWER and "status" in tree:
            for place, value in _compared(tree["status"], (*path, "status")):
                if parse_number(value) is None:
                    self.report.error(place, f"can never hold: a status is a number, and '{value}' is none")

    def _check_delivery(self, field: str, value: object, path: YamlPath) -> None:
        for place, one in _compared(value, path):
            if message := self._delivery_problem(field, one):
                self.report.error(place, message)

    def _delivery_problem(self, field: str, value: str) -> str:
        """Return why a delivery that arrived can never have a value; empty where it can."""
        if field == "state" and value != "delivered":
            return "can never hold: what arrived is delivered, and nothing else"
        if field == "route" and value not in (followed := followed_routes(self.route)):
            return f"can never hold: it follows {', '.join(followed)} alone"
        if field == "event" and value not in EVENT_ENTITIES:
            return f"unknown event {value}, {did_you_mean(value, EVENT_ENTITIES)}"
        if field == "source" and value not in self.sections.source_names:
            return f"unknown source {value}, {did_you_mean(value, self.sections.source_names)}"
        return self._sink_problem(value) if field == "sink" else ""

    def _sink_problem(self, sink: str) -> str:
        """Return why nothing of the routes can have arrived at a sink. It may be moved to another one of its type."""
        types = self.sections.types_of_sinks
        if sink not in types:
            return f"unknown sink {sink}, {did_you_mean(sink, types)}"
        own = {name for route in self._routes() for name in route.to}
        if types[sink] in {types.get(name) for name in own}:
            return ""
        return f"can never hold: {self._followed()} delivers to {', '.join(sorted(own))}"

    def _routes(self) -> list[RouteSettings]:
        names = followed_routes(self.route)
        return [route for route in self.sections.routes.values() if route.name in names]

    def _followed(self) -> str:
        return ", ".join(followed_routes(self.route))


def _entries(tree: object, path: YamlPath) -> Iterator[tuple[YamlPath, str, object]]:
    """Yield the entries of a condition that are no branches, each with its path."""
    if isinstance(tree, list):
        for at, branch in enumerate(tree):
            yield from _entries(branch, (*path, at))
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            if key in _TREES:
                yield from _entries(value, (*path, key))
            else:
                yield (*path, key), str(key), value


def _compared(value: object, path: YamlPath) -> Iterator[tuple[YamlPath, str]]:
    """Yield each value that a field must equal, of a list each of them."""
    if isinstance(value, list):
        yield from (((*path, at), str(one)) for at, one in enumerate(value) if isinstance(one, str | int | float))
    elif isinstance(value, Mapping):
        for operator in ("eq", "in"):
            if operator in value:
                yield from _compared(value[operator], (*path, operator))
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield path, str(value)
