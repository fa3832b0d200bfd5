"""Routing decides which routes an event takes, explains every refusal, and names deliveries."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from relay.model import Account, Event
from relay.routing import (
    Condition,
    ConditionErrors,
    Failure,
    Route,
    check_route,
    compile_condition,
    delivery_id,
    once_id,
)


class View:
    """The views' interface over a mapping, as the real ones have it."""

    def __init__(self, custom: Mapping[str, object] | None = None, **values: object) -> None:
        self.values = values
        self.custom: Mapping[str, object] = custom or {}

    def get(self, field: str) -> object:
        return self.values.get(field)


LEAD = View(
    id="48500",
    name="Поставка кофе",
    status_id="142",
    old_status_id="7000001",
    pipeline_id="310",
    old_pipeline_id="310",
    price="1500.50",
    responsible_user_id="",
    tags=["VIP", "опт"],
    custom={"Город": "Москва", "Товары": ["чай", "кофе"], "777": "12", "PHONE": ["+79160000001"], "Пусто": ""},
)


@pytest.mark.parametrize(
    "where",
    [
        {"status_id": 142},
        {"status_id": "142"},
        {"status_id": [141, 142]},
        {"status_id": {"eq": 142}},
        {"status_id": {"in": ["142", 7]}},
        {"status_id": {"ne": 143}},
        {"status_id": {"ne": [143, 144]}},
        {"price": 1500.5},
        {"price": {"eq": 1500.50}},
        {"price": {"gt": 0}},
        {"price": {"gt": "0"}},
        {"price": {"gt": 1500, "lt": 1501}},
        {"price": {"gte": 1500.5, "lte": 1500.5}},
        {"name": {"matches": "^Поставка"}},
        {"name": {"matches": "кофе$"}},
        {"name": {"contains": "ка ко"}},
        {"price": {"contains": 500}},
        {"name": {"exists": True}},
        {"responsible_user_id": {"exists": False}},
        {"closed_at": {"exists": False}},
        {"closed_at": {"ne": 5}},
        {"tags": "VIP"},
        {"tags": ["опт", "розница"]},
        {"tags": {"contains": "VIP"}},
        {"tags": {"matches": "^V"}},
        {"tags": {"ne": "розница"}},
        {"tags": {"exists": True}},
        {"status_id": {"changed": True}},
        {"pipeline_id": {"changed": False}},
        {"custom": {"Город": "Москва"}},
        {"custom": {"Город": ["Тверь", "Москва"], "Товары": {"contains": "чай"}}},
        {"custom": {777: {"gte": 12}}},
        {"custom": {"PHONE": {"matches": r"^\+7"}}},
        {"custom": {"Пусто": {"exists": False}, "Нет такого": {"exists": False}}},
        {"any": [{"status_id": 143}, {"price": {"gt": 0}}]},
        {"any": {"status_id": 143, "price": {"gt": 0}}},
        {"all": [{"status_id": 142}, {"price": {"gt": 0}}]},
        {"all": {"status_id": 142, "price": {"gt": 0}}},
        {"not": {"status_id": 143}},
        {"not": {"status_id": 142, "price": {"lt": 0}}},
        {"status_id": 142, "any": [{"tags": "нет"}, {"not": {"custom": {"Город": "Тверь"}}}]},
    ],
)
def test_a_condition_that_holds_gives_no_failure(where: object) -> None:
    assert compile_condition(where).check(LEAD) is None


@pytest.mark.parametrize(
    ("where", "path", "message"),
    [
        ({"status_id": 143}, "where.status_id", 'status_id eq 143: saw "142"'),
        ({"status_id": "0142"}, "where.status_id", 'status_id eq "0142": saw "142"'),
        ({"price": {"gt": 2000}}, "where.price.gt", 'price gt 2000: saw "1500.50"'),
        ({"price": {"gte": 1500.51}}, "where.price.gte", 'price gte 1500.51: saw "1500.50"'),
        ({"price": {"lt": 1500.5}}, "where.price.lt", 'price lt 1500.5: saw "1500.50"'),
        ({"price": "1500.5"}, "where.price", 'price eq "1500.5": saw "1500.50"'),
        ({"name": {"gt": 0}}, "where.name.gt", 'name gt 0: saw "Поставка кофе" (no plain number)'),
        ({"name": 5}, "where.name", 'name eq 5: saw "Поставка кофе" (no plain number)'),
        ({"tags": {"gt": 0}}, "where.tags.gt", 'tags gt 0: saw ["VIP", "опт"] (no plain number)'),
        ({"responsible_user_id": {"gt": 0}}, "where.responsible_user_id.gt", 'saw "" (empty)'),
        ({"responsible_user_id": {"exists": True}}, "where.responsible_user_id.exists", 'exists true: saw "" (empty)'),
        ({"closed_at": {"gt": 0}}, "where.closed_at.gt", "closed_at gt 0: not in the hook"),
        ({"closed_at": {"exists": True}}, "where.closed_at.exists", "closed_at exists true: not in the hook"),
        ({"name": {"exists": False}}, "where.name.exists", 'name exists false: saw "Поставка кофе"'),
        ({"name": {"matches": "^кофе"}}, "where.name.matches", 'name matches "^кофе": saw "Поставка кофе"'),
        ({"name": {"contains": "чай"}}, "where.name.contains", 'name contains "чай": saw "Поставка кофе"'),
        ({"tags": {"contains": "VI"}}, "where.tags.contains", 'tags contains "VI": saw ["VIP", "опт"]'),
        ({"tags": {"ne": "VIP"}}, "where.tags.ne", 'tags ne "VIP": saw ["VIP", "опт"]'),
        ({"tags": ["a", "b"]}, "where.tags", 'tags in ["a", "b"]: saw ["VIP", "опт"]'),
        ({"price": {"changed": True}}, "where.price.changed", "changed true: the hook carries no old_price"),
        ({"price": {"changed": False}}, "where.price.changed", "changed false: the hook carries no old_price"),
        ({"pipeline_id": {"changed": True}}, "where.pipeline_id.changed", 'changed true: was "310", is "310"'),
        ({"status_id": {"changed": False}}, "where.status_id.changed", 'changed false: was "7000001", is "142"'),
        ({"custom": {"Город": "Тверь"}}, "where.custom.Город", 'custom "Город" eq "Тверь": saw "Москва"'),
        ({"custom": {"город": "Москва"}}, "where.custom.город", 'custom "город" eq "Москва": not in the hook'),
        ({"not": {"status_id": 142}}, "where.not", "not (status_id eq 142): it holds"),
        ({"not": {"status_id": 142, "id": 48500}}, "where.not", "not (status_id eq 142 and id eq 48500): it holds"),
        ({"not": {"any": {"status_id": 142, "id": 1}}}, "where.not", "not ((status_id eq 142 or id eq 1)): it holds"),
        ({"all": [{"status_id": 142}, {"id": 1}]}, "where.all.1.id", 'id eq 1: saw "48500"'),
        ({"status_id": 142, "id": {"in": [1, 2]}}, "where.id.in", 'id in [1, 2]: saw "48500"'),
    ],
)
def test_a_failure_says_which_clause_and_what_was_seen(where: object, path: str, message: str) -> None:
    failure = compile_condition(where).check(LEAD)
    assert failure is not None
    assert ".".join(map(str, failure.path)) == path
    assert message in failure.message


def test_a_failure_carries_what_was_expected_and_seen() -> None:
    failure = compile_condition({"price": {"gt": 2000}}).check(LEAD)
    assert failure is not None
    assert (failure.operator, failure.expected, failure.seen) == ("gt", 2000, "1500.50")


def test_a_failure_of_any_reports_every_branch() -> None:
    failure = compile_condition({"any": [{"status_id": 143}, {"price": {"lt": 0}, "id": 5}]}).check(LEAD)
    assert failure is not None
    assert failure.path == ("where", "any")
    assert [branch.path for branch in failure.branches] == [
        ("where", "any", 0, "status_id"),
        ("where", "any", 1, "price", "lt"),
    ]
    assert failure.message == 'none of them holds: status_id eq 143: saw "142"; price lt 0: saw "1500.50"'


@pytest.mark.parametrize(
    "seen", ["1 000", "1000,50", "1e3", "++1000", "+", " 1000", "1000 ", "٣", "0x10", "", "Infinity", "nan", "."]
)
def test_only_plain_numbers_compare_as_numbers(seen: str) -> None:
    assert compile_condition({"price": {"gte": -1}}).check(View(price=seen)) is not None


@pytest.mark.parametrize("where", [{"gt": -2}, {"lt": 0}, {"eq": -1}, {"gte": "-1"}, {"lte": "+0"}])
@pytest.mark.parametrize("seen", ["-1", "-1.0", "-01"])
def test_a_number_may_be_negative(seen: str, where: object) -> None:
    assert compile_condition({"birthday": where}).check(View(birthday=seen)) is None


@pytest.mark.parametrize("where", [{"gt": 999}, {"eq": 1000}, [1000, 5]])
def test_a_number_may_have_a_plus(where: object) -> None:
    assert compile_condition({"price": where}).check(View(price="+1000")) is None


@pytest.mark.parametrize(("seen", "holds"), [("142", True), ("142.0", True), ("0142", True), ("1420", False)])
def test_a_yaml_number_compares_as_number(seen: str, holds: bool) -> None:
    assert (compile_condition({"status_id": 142}).check(View(status_id=seen)) is None) is holds


def test_numbers_compare_exactly() -> None:
    """In floats 0.1 + 0.2 is not 0.3, and 2**53 + 1 is 2**53."""
    assert compile_condition({"n": 9007199254740993}).check(View(n="9007199254740992")) is not None
    assert compile_condition({"n": {"gt": 0.3}}).check(View(n="0.30000000000000000001")) is None


def test_a_long_value_is_searched_only_at_its_beginning_and_shown_cut() -> None:
    failure = compile_condition({"text": {"matches": "b"}}).check(View(text="a" * 5000 + "b"))
    assert failure is not None
    assert len(failure.message) < 200


def test_fields_lists_what_the_condition_looks_at() -> None:
    where = {
        "status_id": {"changed": True},
        "any": [{"price": {"gt": 0}}, {"custom": {"Город": "Москва"}}],
        "not": {"id": [1, 2]},
    }
    assert list(compile_condition(where).used_fields) == [
        (("where", "status_id"), "status_id"),
        (("where", "status_id", "changed"), "old_status_id"),
        (("where", "any", 0, "price"), "price"),
        (("where", "any", 1, "custom"), "custom"),
        (("where", "not", "id"), "id"),
    ]


@pytest.mark.parametrize(
    ("where", "path", "message"),
    [
        ([], "where", "such as {status_id: 142}, saw a list"),
        ("status_id == 142", "where", "needs a mapping"),
        ({}, "where", "is empty"),
        ({"any": []}, "where.any", "is empty"),
        ({"any": "x"}, "where.any", "needs a list of conditions"),
        ({"any": [5]}, "where.any.0", "needs a mapping"),
        ({"not": [{"id": 1}]}, "where.not", "needs a mapping"),
        ({"not": {}}, "where.not", "is empty"),
        ({5: 1}, "where.5", "5 is no field"),
        ({"price": {}}, "where.price", "has no operator: write one of eq, ne, in, gt"),
        ({"price": {"get": 5}}, "where.price.get", "unknown operator get; did you mean gt?"),
        ({"price": {"exist": True}}, "where.price.exist", "did you mean exists?"),
        ({"price": {">=": 5}}, "where.price.>=", "did you mean gte?"),
        ({"price": {"between": [1, 2]}}, "where.price.between", "did you mean gte and lte?"),
        ({"name": {"matches": "("}}, "where.name.matches", '"(" is no regular expression: missing )'),
        ({"name": {"matches": ""}}, "where.name.matches", "needs a regular expression"),
        ({"name": {"matches": 5}}, "where.name.matches", "needs a regular expression as text: quote it"),
        ({"name": True}, "where.name", 'amoCRM never sends true: write "1" for true, "0" for false, or exists: true'),
        ({"name": ["a", False]}, "where.name.1", "amoCRM never sends false"),
        ({"price": {"gt": True}}, "where.price.gt", "amoCRM never sends true"),
        ({"name": None}, "where.name", "write exists: false"),
        ({"name": ""}, "where.name", "an empty text does not exist: write exists: false"),
        ({"name": {"in": ["a", ""]}}, "where.name.in.1", "an empty text does not exist"),
        ({"name": {"in": "a"}}, "where.name.in", "needs a list of values"),
        ({"name": {"eq": ["a"]}}, "where.name.eq", "needs one value"),
        ({"name": {"contains": ["a"]}}, "where.name.contains", "needs one value"),
        ({"name": {"eq": {"a": 1}}}, "where.name.eq", "needs a text or a number, saw a dict"),
        ({"name": {"exists": "yes"}}, "where.name.exists", "needs true or false"),
        ({"name": {"changed": 1}}, "where.name.changed", "needs true or false"),
        ({"price": float("nan")}, "where.price", "nan compares with nothing"),
        ({"custom": "x"}, "where.custom", "needs a mapping of custom fields"),
        ({"custom": {}}, "where.custom", "needs a mapping of custom fields"),
        ({"custom": {"Город": True}}, "where.custom.Город", "amoCRM never sends true"),
        ({"custom": {"Город": {"changed": True}}}, "where.custom.Город.changed", "old values of an event's own"),
        ({"name": []}, "where.name", "can never hold: the list is empty"),
        ({"price": {"gt": "много"}}, "where.price.gt", 'can never hold: it compares numbers, and "много" is none'),
        ({"price": {"gt": 5, "lt": 3}}, "where.price.lt", "can never hold: no number is in both this and gt 5"),
        ({"price": {"gt": 5, "lte": 5}}, "where.price.lte", "can never hold"),
        ({"price": {"gte": 5.5, "lt": 5.5}}, "where.price.lt", "can never hold"),
        ({"price": {"eq": 5, "ne": 5}}, "where.price.eq", "can never hold: ne beside it"),
        ({"price": {"in": [1, 2], "ne": [2, 1]}}, "where.price.in", "can never hold: ne beside it"),
        ({"price": {"eq": 5, "gt": 5}}, "where.price.eq", "can never hold: gt beside it"),
        ({"price": {"eq": "дорого", "gt": 5}}, "where.price.eq", "can never hold"),
        ({"price": {"in": [1, 2, 9], "gt": 2, "lt": 9}}, "where.price.in", "can never hold: gt, lt beside it"),
        ({"name": {"exists": False, "eq": "a"}}, "where.name.exists", "false allows no other operator beside it"),
    ],
)
def test_a_wrong_condition_is_refused_at_its_place(where: object, path: str, message: str) -> None:
    with pytest.raises(ConditionErrors) as caught:
        compile_condition(where)
    ((found_path, found),) = caught.value.errors
    assert ".".join(map(str, found_path)) == path
    assert message in found
    assert str(caught.value) == f"{path}: {found}"


@pytest.mark.parametrize(
    "where",
    [
        {"price": {"gte": 5, "lte": 5}},
        {"price": {"gt": 5, "lt": 6}},
        {"price": {"in": [1, 2], "ne": 1}},
        {"tags": {"eq": "a", "in": ["b"]}},
        {"tags": {"eq": "a", "ne": "b"}},
        {"price": {"eq": "7", "gt": 5}},
        {"name": {"exists": True, "ne": "a"}},
    ],
)
def test_conditions_that_can_hold_together_are_accepted(where: object) -> None:
    assert list(compile_condition(where).used_fields)


def test_every_error_is_reported_at_once_with_its_own_place() -> None:
    where = {"price": {"gt": "x", "nope": 1}, "any": [{"name": True}, {"not": {"id": []}}], "custom": {"Город": None}}
    with pytest.raises(ConditionErrors) as caught:
        compile_condition(where, "условие")
    assert [path for path, _ in caught.value.errors] == [
        ("условие", "price", "gt"),
        ("условие", "price", "nope"),
        ("условие", "any", 0, "name"),
        ("условие", "any", 1, "not", "id"),
        ("условие", "custom", "Город"),
    ]


# --- the law: check() says what a naive reading of the tree says, whatever the view holds


def reference(tree: Mapping[Any, Any], view: View) -> bool:
    """Read a condition as its documentation does, without any cleverness."""
    return all(_entry(key, value, view) for key, value in tree.items())


def _entry(key: str, value: Any, view: View) -> bool:
    if key == "any":
        return any(reference(branch, view) for branch in value)
    if key == "all":
        return all(reference(branch, view) for branch in value)
    if key == "not":
        return not reference(value, view)
    if key == "custom":
        return all(_field(view.custom.get(name), None, spec) for name, spec in value.items())
    return _field(view.get(key), view.get(f"old_{key}"), value)


def _field(seen: object, old: object, spec: Any) -> bool:
    if isinstance(spec, dict):
        return all(_operator(name, seen, old, operand) for name, operand in spec.items())
    return _operator("in" if isinstance(spec, list) else "eq", seen, old, spec)


def _operator(name: str, seen: object, old: object, operand: Any) -> bool:
    values = [value for value in (seen if isinstance(seen, list) else [seen]) if isinstance(value, str)]
    number = _number(seen)
    match name:
        case "eq":
            return any(_same(value, operand) for value in values)
        case "in":
            return any(_same(value, wanted) for value in values for wanted in operand)
        case "ne":
            wanted = operand if isinstance(operand, list) else [operand]
            return not any(_same(value, one) for value in values for one in wanted)
        case "gt" | "gte" | "lt" | "lte":
            bound = Decimal(str(operand))
            holds = {"gt": "__gt__", "gte": "__ge__", "lt": "__lt__", "lte": "__le__"}[name]
            return number is not None and bool(getattr(number, holds)(bound))
        case "exists":
            return operand == (seen is not None and seen != "" and seen != [] and not _only_empty(seen))
        case "matches":
            return any(re.search(operand, value) for value in values)
        case "contains":
            return str(operand) in seen if isinstance(seen, str) else _operator("eq", seen, old, operand)
        case _:
            return old is not None and ((seen or "") != old) == operand


def _only_empty(seen: object) -> bool:
    return isinstance(seen, list) and set(map(str, seen)) == {""}


def _same(value: str, wanted: Any) -> bool:
    return value == wanted if isinstance(wanted, str) else _number(value) == Decimal(str(wanted))


def _number(seen: object) -> Decimal | None:
    return Decimal(seen) if isinstance(seen, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", seen) else None


TEXTS = st.sampled_from(["", "0", "5", "5.0", "-1", "7", "a", "ab", "1 000", "1e3", "Ж"]) | st.text(max_size=4)
VALUES = st.none() | TEXTS | st.lists(TEXTS, max_size=3)
FIELDS = st.sampled_from(["name", "price", "tags"])
SCALARS = st.sampled_from([0, 5, 7, -1, 5.5, "0", "5", "5.0", "a", "ab", "Ж"])
NUMBERS = st.sampled_from([0, 5, 7, -1, 5.5, "5"])
OPERATORS: Mapping[str, st.SearchStrategy[object]] = {
    "eq": SCALARS,
    "ne": SCALARS | st.lists(SCALARS, min_size=1, max_size=2),
    "in": st.lists(SCALARS, min_size=1, max_size=3),
    **dict.fromkeys(["gt", "gte", "lt", "lte"], NUMBERS),
    "exists": st.booleans(),
    "matches": st.sampled_from(["a", "^a$", "[0-9]", "^$"]),
    "contains": SCALARS,
}
CUSTOM_SPECS = (
    SCALARS
    | st.lists(SCALARS, min_size=1, max_size=3)
    | st.fixed_dictionaries({}, optional=OPERATORS).filter(lambda spec: 0 < len(spec) < 4)
)
SPECS = CUSTOM_SPECS | st.fixed_dictionaries({"changed": st.booleans()})
LEAVES = st.dictionaries(FIELDS, SPECS, min_size=1, max_size=2) | st.fixed_dictionaries(
    {"custom": st.dictionaries(FIELDS, CUSTOM_SPECS, min_size=1, max_size=2)}
)
TREES = st.recursive(
    LEAVES,
    lambda trees: (
        st.fixed_dictionaries({"any": st.lists(trees, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"all": st.lists(trees, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"not": trees})
    ),
    max_leaves=4,
)
OLD = st.dictionaries(st.sampled_from(["old_name", "old_price", "old_tags"]), TEXTS)
VIEWS = st.builds(
    lambda values, old, custom: View(custom=custom, **values, **old),
    st.dictionaries(FIELDS, VALUES),
    OLD,
    st.dictionaries(FIELDS, VALUES),
)


def compiled(tree: object) -> Condition | None:
    """Compile a tree, or return None where it is refused."""
    try:
        return compile_condition(tree)
    except ConditionErrors:
        return None


@given(TREES, VIEWS)
def test_check_agrees_with_a_naive_reading(tree: dict[str, object], view: View) -> None:
    condition = compiled(tree)
    assume(condition is not None)
    assert condition is not None
    failure = condition.check(view)
    assert (failure is None) is reference(tree, view)
    assert failure is None or failure.message


@given(st.fixed_dictionaries({}, optional=OPERATORS).filter(bool), VIEWS)
def test_what_is_refused_as_impossible_holds_for_no_view(spec: dict[str, object], view: View) -> None:
    assume(spec.get("exists") is not False)  # refused beside any other operator, even where that would add nothing
    assert compiled({"price": spec}) or not reference({"price": spec}, view)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(TREES, st.dictionaries(FIELDS, ANYTHING), st.dictionaries(FIELDS, ANYTHING))
def test_evaluation_never_raises(tree: dict[str, object], values: dict[str, object], custom: dict[str, object]) -> None:
    condition = compiled(tree)
    failure = condition.check(View(custom=custom, **values)) if condition else None
    assert failure is None or failure.message


YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["any", "all", "not", "custom", "price", *OPERATORS, "changed"]) | st.integers(0, 9),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(YAML)
def test_whatever_the_yaml_holds_is_compiled_or_refused(tree: object) -> None:
    condition = compiled(tree)
    assert condition is None or all(path[0] == "where" for path, _ in condition.used_fields)


# --- routes


class Text:
    """A content that is always the same."""

    def render(self, context: Mapping[str, object]) -> object:
        return "text"


def route(**changes: Any) -> Route:
    return Route(
        **{"name": "сделка", "on": frozenset({"status_lead"}), "sinks": ("sms",), "content": Text(), **changes}
    )


def event(source: str = "acme", name: str = "status_lead") -> Event:
    return Event(
        id="r.0",
        receipt_id="r",
        index=0,
        source=source,
        name=name,
        entity="lead",
        action="status",
        entity_id="48500",
        account=Account(),
        data={},
        received_at=1,
    )


WON = compile_condition({"status_id": 142})
LOST = compile_condition({"status_id": 143})


def matched(taken: Route, happened: Event | None = None, names: frozenset[str] | None = None) -> Failure | None:
    happened = happened or event()
    return check_route(taken, happened, names if names is not None else frozenset({happened.name}), LEAD)


@pytest.mark.parametrize(
    "taken",
    [
        route(),
        route(sources=frozenset({"acme", "beta"})),
        route(on=frozenset({"add_lead", "status_lead"})),
        route(where=WON),
    ],
)
def test_an_event_takes_a_route_whose_every_part_agrees(taken: Route) -> None:
    assert matched(taken) is None


def test_an_event_answers_to_each_of_its_names() -> None:
    taken = route(on=frozenset({"responsible_lead"}))
    assert matched(taken) is not None
    assert matched(taken, names=frozenset({"status_lead", "responsible_lead"})) is None


ELSEWHERE, OTHERWISE = frozenset({"beta"}), frozenset({"add_lead", "update_lead"})


@pytest.mark.parametrize(
    ("taken", "path", "message"),
    [
        (route(sources=ELSEWHERE, on=OTHERWISE, where=LOST), ("source",), 'source in ["beta"]: saw "acme"'),
        (route(on=OTHERWISE, where=LOST), ("on",), 'on in ["add_lead", "update_lead"]: saw "status_lead"'),
        (route(where=LOST), ("where", "status_id"), 'status_id eq 143: saw "142"'),
    ],
)
def test_source_comes_before_name_and_name_before_condition(taken: Route, path: tuple[str], message: str) -> None:
    failure = matched(taken)
    assert failure is not None
    assert (failure.path, failure.message) == (path, message)


# --- identity

NAMES = st.tuples(st.text(st.characters()), st.text(st.characters()), st.text(st.characters()))


def test_an_id_is_the_same_in_every_process_and_release() -> None:
    """A changed id would deliver again what was delivered, so these two are carved in stone."""
    assert delivery_id("r.0", "сделка", "sms") == "56c6529f-45c2-81d9-a794-ab1b6705e1d6"
    assert once_id("acme", "сделка", "48500", "sms") == "0fccef0e-7374-8900-80a7-c0ef1934ebad"


@given(NAMES, NAMES)
def test_ids_differ_exactly_where_what_they_name_differs(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (delivery_id(*one) == delivery_id(*other)) is (one == other)
    assert (once_id("acme", *one) == once_id("acme", *other)) is (one == other)
    assert once_id("acme", *one) != once_id("other", *one)
    assert delivery_id(*one) != once_id("acme", *other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(("ab", "c", "d"), ("a", "bc", "d")), (("a", "1:b", "c"), ("a1:", "b", "c")), (("", "a", "a"), ("a", "", "a"))],
)
def test_moving_a_boundary_makes_another_id(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert delivery_id(*one) != delivery_id(*other)


@given(NAMES)
def test_an_id_is_a_version_8_uuid(names: tuple[str, str, str]) -> None:
    for name in (delivery_id(*names), once_id("acme", *names)):
        assert str(UUID(name)) == name
        assert (UUID(name).version, UUID(name).variant) == (8, "specified in RFC 4122")
