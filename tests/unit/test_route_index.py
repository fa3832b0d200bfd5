"""An event costs what the routes for its values do: the others are not asked, and none that would match is left out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.config.load import load
from relay.model import Account, Event
from relay.routing import Route, RouteIndex, check_route, compile_condition, matches_route
from relay.sinks.registry import sink_types

NAMES = frozenset({"status_lead"})


class View:
    """The views' interface over a mapping."""

    def __init__(self, **values: object) -> None:
        self.values = values
        self.custom = {"Город": values.get("city")}

    def get(self, field: str) -> object:
        return self.values.get(field)


def event(source: str = "acme") -> Event:
    return Event(
        id="r1.0", receipt_id="r1", index=0, source=source, received_at=0, account=Account(), name="status_lead",
        entity="lead", action="status", entity_id="7", data={},
    )  # fmt: skip


def route(name: str, where: object = None, **fields: object) -> Route:
    condition = None if where is None else compile_condition(where)
    return Route(**{"name": name, "on": NAMES, "sinks": ("books",), "content": None, "where": condition, **fields})


def asked(routes: list[Route], view: View) -> list[str]:
    return [one.name for one in RouteIndex(routes).candidates(view)]


OF_A_STATUS = [route(f"status {number}", {"status_id": number, "price": {"gt": 0}}) for number in range(1000)]


def test_of_a_thousand_routes_for_a_thousand_statuses_one_is_asked() -> None:
    assert asked(OF_A_STATUS, View(status_id="142")) == ["status 142"]
    assert asked(OF_A_STATUS, View(status_id="5000")) == []
    assert asked(OF_A_STATUS, View()) == []


def test_a_route_that_says_no_value_is_asked_each_time_and_in_its_place() -> None:
    routes = [*OF_A_STATUS[:9], route("all"), *OF_A_STATUS[9:], route("dear", {"price": {"gt": 10}})]
    assert asked(routes, View(status_id="142")) == ["all", "status 142", "dear"]
    assert asked(routes, View(status_id="3")) == ["status 3", "all", "dear"]


def test_of_several_fields_the_one_with_the_most_values_is_used() -> None:
    """All name one pipeline: by that field every route would be asked."""
    routes = [route(f"r{n}", {"pipeline_id": 310, "all": [{"status_id": n}, {"tags": "VIP"}]}) for n in range(50)]
    assert asked(routes, View(pipeline_id="310", status_id="7")) == ["r7"]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (142, "142"), (142, "142.0"), ("142", "142"), (1500.5, "1500.50"), ("VIP", ["опт", "VIP"]),
        (["a", 7], "7"), (["a", 7], "+7"), (["a", 7], "a"), ({"in": ["x", "y"]}, ["y", "x"]), ({"eq": "a"}, "a"),
    ],
)  # fmt: skip
def test_a_value_finds_its_route_as_the_condition_compares_it(where: object, value: object) -> None:
    routes = [route("it", {"status_id": where}), *OF_A_STATUS[900:]]
    assert asked(routes, View(status_id=value)) == ["it"]


VALUES = st.sampled_from(["1", "2", "2.0", "+2", "3", "Москва", "", "x"])
FIELDS = st.sampled_from(["status_id", "price", "tags"])
OPERANDS = st.sampled_from([1, 2, 2.0, "2", "3", "Москва", "x"])
CLAUSES = st.one_of(
    st.tuples(FIELDS, OPERANDS).map(lambda of: {of[0]: of[1]}),
    st.tuples(FIELDS, st.lists(OPERANDS, min_size=1, max_size=3)).map(lambda of: {of[0]: of[1]}),
    st.tuples(FIELDS, OPERANDS).map(lambda of: {of[0]: {"ne": of[1]}}),
    st.tuples(FIELDS, st.integers(0, 3)).map(lambda of: {of[0]: {"gte": of[1]}}),
    OPERANDS.map(lambda of: {"custom": {"Город": of}}),
)
CONDITIONS = st.recursive(
    CLAUSES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=4,
)
VIEWS = st.fixed_dictionaries(
    {}, optional={name: VALUES | st.lists(VALUES, max_size=3) for name in ("status_id", "price", "tags", "city")}
)


@settings(max_examples=60)
@given(st.lists(st.none() | CONDITIONS, max_size=12), VIEWS)
def test_the_same_routes_match_as_without_it_in_the_same_order(wheres: list[object], values: dict[str, object]) -> None:
    routes = [route(f"r{at}", where) for at, where in enumerate(wheres)]
    view, of = View(**values), event()
    matching = [one for one in routes if check_route(one, of, NAMES, view) is None]
    found = [one for one in RouteIndex(routes).candidates(view) if matches_route(one, of, NAMES, view)]
    assert [one.name for one in found] == [one.name for one in matching]


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ({}, True), ({"sources": frozenset({"acme", "b"})}, True), ({"sources": frozenset({"b"})}, False),
        ({"on": frozenset({"add_lead"})}, False), ({"where": {"status_id": 1}}, False),
    ],
)  # fmt: skip
def test_whether_a_route_matches_is_what_its_explanation_says(fields: dict[str, object], matches: bool) -> None:
    one, view = route("r", **fields), View(status_id="142")
    assert matches_route(one, event(), NAMES, view) is matches
    assert (check_route(one, event(), NAMES, view) is None) is matches


CONFIG = load(
    """
sources: {acme: {type: amocrm, token: long-enough}, other: {type: amocrm, token: long-enough-too}}
sinks: {books: {type: http, url: "http://127.0.0.1/"}}
routes:
  - {name: first, on: [status_lead, add_contact], to: books}
  - {name: of acme, source: acme, on: [status_lead, responsible_contact], to: books}
  - {name: of other, source: other, on: status_lead, to: books}
  - {name: last, on: update_contact, to: books}
""",
    file="relay.yaml",
    environ={},
    sink_types=sink_types(),
)


@pytest.mark.parametrize(
    ("source", "names", "found"),
    [
        ("acme", ["status_lead"], ["first", "of acme"]),
        ("other", ["status_lead"], ["first", "of other"]),
        ("acme", ["update_contact", "responsible_contact"], ["of acme", "last"]),
        ("acme", ["delete_lead"], []),
        ("gone", ["status_lead"], []),
    ],
)
def test_a_source_has_the_routes_of_all_and_its_own_in_the_files_order(
    source: str, names: list[str], found: list[str]
) -> None:
    assert [one.name for one in CONFIG.routes_for(source, frozenset(names))] == found


def test_whatever_events_are_called_there_are_no_more_indexes_than_names_in_routes() -> None:
    indexes = {id(CONFIG.route_index("acme", frozenset({f"x{n}_lead"}))) for n in range(100)}
    assert len(indexes) == 1
