"""Rendering makes the content of a delivery; templates are the operator's, what fills them never is."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.amocrm import views
from relay.errors import CompileErrors, MissingValue, RejectDelivery, RelayError, SkipDelivery
from relay.rendering import CompiledContent, TemplateErrors, compile_content


class View:
    """The views' interface over a mapping, as the real ones have it."""

    def __init__(self, custom: Mapping[str, object] | None = None, **values: object) -> None:
        self._values = values
        self.custom = custom or {}

    def get(self, field: str) -> object:
        return self._values.get(field)

    def __contains__(self, field: str) -> bool:
        return field in self._values

    def __getitem__(self, field: str) -> object:
        return self._values[field]

    def __getattr__(self, field: str) -> object:
        try:
            return self._values[field]
        except KeyError:
            raise AttributeError(field) from None


KNOWN = {
    "lead": frozenset({"id", "name", "price", "status_id", "tags", "responsible_user_id", "created_at", "loss"}),
    "contact": frozenset({"id", "phone", "phones", "name"}),
    "entity": frozenset[str](),
}
TABLES = {"managers": {"102525": "+79160000001"}, "empty": {}}
LEAD = View(
    id="48500",
    name="Поставка",
    price="1500.5",
    tags=["VIP", "опт"],
    responsible_user_id="102525",
    created_at="1700000000",
    loss="",
    custom={"Город": "Москва", "Товары": ["чай", "кофе"]},
)


def tree(value: object, path: str = "body") -> CompiledContent:
    return compile_content(value, path, KNOWN, TABLES)


def rendered(value: object, lead: View = LEAD, **context: object) -> Any:
    return tree(value).render({"lead": lead, **context})


def of(value: object, filter_: str, **context: object) -> Any:
    """Send a value through a filter, alone in its template."""
    return rendered(f"{{{{ entity.value | {filter_} }}}}", entity=View(value=value), **context)


# --- trees


def test_templates_are_filled_in_wherever_they_are_and_the_rest_stays() -> None:
    content = {"id": "{{ lead.id }}", "n": 1, "on": True, "none": None, "deep": [{"a": "№ {{ lead.id }}"}, "b", 2.5]}
    assert rendered(content) == {
        "id": "48500", "n": 1, "on": True, "none": None, "deep": [{"a": "№ 48500"}, "b", 2.5]
    }  # fmt: skip


def test_the_order_of_keys_is_the_order_of_the_yaml() -> None:
    assert list(rendered({"z": "{{ lead.id }}", "y": 1, "x": "{{ lead.name }}", "w": 2})) == ["z", "y", "x", "w"]


def test_rendering_again_gives_the_same_and_leaves_the_first_alone() -> None:
    compiled = tree({"list": ["{{ lead.id }}"], "id": "{{ lead.id }}"})
    first = compiled.render({"lead": LEAD})
    assert compiled.render({"lead": View(id="2")}) == {"list": ["2"], "id": "2"}
    assert first == {"list": ["48500"], "id": "48500"}


@pytest.mark.parametrize(
    "value", ["text", "", 5, None, True, ["a"], {"a": {"b": "{ not a template }"}}, "}}", "{# no #}"]
)
def test_a_value_without_templates_is_itself(value: object) -> None:
    assert rendered(value) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ lead.tags }}", ["VIP", "опт"]),
        ("{{ lead.id }}", "48500"),
        ("{{ lead.id | int }}", 48500),
        ("{{ lead.price | float }}", 1500.5),
        ("{{ 5 }}", 5),
        ("{{ '5' }}", "5"),
        ("{{ true }}", True),
        ("{{ none }}", None),
        ("{{ [lead.id, 1] }}", ["48500", 1]),
        ("{{ {'id': lead.id} }}", {"id": "48500"}),
        ("{{ lead.custom }}", {"Город": "Москва", "Товары": ["чай", "кофе"]}),
        ("{{ lead.id == '48500' }}", True),
        ("{{ lead.tags | map('lower') }}", ["vip", "опт"]),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ lead.loss }}", ""),
    ],
)
def test_exactly_one_expression_keeps_its_type(source: str, value: object) -> None:
    seen = rendered(source)
    assert seen == value
    assert type(seen) is type(value)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("№{{ lead.id | int }}", "№48500"),
        ("{{ lead.id }}\n", "48500\n"),
        (" {{ 5 }}", " 5"),
        ("{{ 1 }}{{ 2 }}", "12"),
        ("{{ lead.id }}{{ true }}", "48500true"),
        ("{% if lead.loss %}есть{% else %}нет{% endif %}", "нет"),
        ("{% for tag in lead.tags %}{{ loop.index }}.{{ tag }} {% endfor %}", "1.VIP 2.опт "),
        ("{% set total = lead.price | float * 2 %}{{ total }}", "3001.0"),
        ("{{ lead.name ~ ' ' ~ lead.id }}!", "Поставка 48500!"),
        ("{{ lead.custom['Город'] }}, {{ lead.custom.Город }}", "Москва, Москва"),
        ("{% for name, value in lead.custom.items() %}{{ name }};{% endfor %}", "Город;Товары;"),
        ("{{ lead['name'] }}: {{ lead.name.upper()[:3] }}", "Поставка: ПОС"),
        ("{{ lead.get('name') }}.", "Поставка."),
        ("{{ 'VIP' in lead.tags }}.", "true."),
    ],
)
def test_anything_else_gives_text(source: str, text: str) -> None:
    assert rendered(source) == text


def test_what_one_template_sets_is_unknown_to_the_next() -> None:
    content = {"a": "{% set lead = {'id': 'другой'} %}{{ lead.id }}", "b": "{{ lead.id }}"}
    assert rendered(content) == {"a": "другой", "b": "48500"}


# --- missing values


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ contact.name or 'без имени' }}", "без имени"),
        ("{{ lead.status_id or 'нет' }}", "нет"),
        ("{{ lead.loss or 'нет' }}", "нет"),
        ("{% if lead.status_id %}да{% else %}нет{% endif %}", "нет"),
        ("{{ 'да' if lead.status_id is defined else 'нет' }}", "нет"),
        ("{{ lead.status_id | default('нет') }}", "нет"),
        ("{{ lead.status_id | upper | default('нет') }}", "нет"),
        ("{{ lead.status_id | money | default('нет') }}", "нет"),
        ("{{ lead.loss | decimal | default('нет') }}", "нет"),
        ("{{ lead.loss | default('нет') }}", "нет"),
        ("{{ lead.loss | d('нет') }}", "нет"),
        ("{{ lead.custom['Цвет'] or 'нет' }}", "нет"),
        ("{{ '1' | lookup('managers') or 'нет' }}", "нет"),
        ("{{ lead.custom.Цвет.оттенок or 'нет' }}", "нет"),
        ("{{ 0 | default('нет') }}.", "0."),
        ("{{ false | default('нет', true) }}", "нет"),
    ],
)
def test_a_missing_value_is_false_and_can_be_replaced(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("{{ lead.status_id }}", "lead.status_id is not in this hook"),
        ("№ {{ lead.status_id }}", "lead.status_id is not in this hook"),
        ("{{ lead['status_id'] }}", 'lead["status_id"] is not in this hook'),
        ("{{ lead.custom['Цвет'] }}", 'lead.custom["Цвет"] is not in this hook'),
        ("{{ lead.custom.Цвет }}", "lead.custom.Цвет is not in this hook"),
        ("{{ contact.phone }}", "contact.phone is not in this hook"),
        ("{{ contact }}", "contact is not in this hook"),
        ("{{ contact.custom['Цвет'].длина }}", 'contact.custom["Цвет"].длина is not in this hook'),
        ("{{ lead.tags[7] }}", "lead.tags[7] is not in this hook"),
        ("{{ lead.status_id | upper }}", "lead.status_id is not in this hook"),
        ("{{ lead.status_id | map('upper') | join(',') }}", "lead.status_id is not in this hook"),
        ("{{ lead.status_id | decimal }}", "lead.status_id is not in this hook"),
        ("{{ lead.status_id | int + 1 }}", "lead.status_id is not in this hook"),
        ("{{ lead.status_id == '142' }}", "lead.status_id is not in this hook"),
        ("{{ lead.status_id in ['142'] }}", "lead.status_id is not in this hook"),
        ("{{ 'a' in lead.status_id }}", "lead.status_id is not in this hook"),
        ("{{ lead.status_id ~ '' }}", "lead.status_id is not in this hook"),
        ("{{ [lead.status_id] }}", "lead.status_id is not in this hook"),
        ("{{ lead.status_id.upper() }}", "lead.status_id.upper is not in this hook"),
        ("{% for tag in lead.status_id %}{{ tag }}{% endfor %}", "lead.status_id is not in this hook"),
        ("{{ lead.status_id[1:] }}", "lead.status_id is not in this hook"),
        ("{{ [] | first }}", "No first item"),
    ],
)
def test_using_a_missing_value_names_it_and_its_place(source: str, what: str) -> None:
    with pytest.raises(MissingValue, match=f"^body.deep.1.amount: {re.escape(what)}") as caught:
        rendered({"deep": ["a", {"amount": source}]})
    assert caught.value.place == "body.deep.1.amount"
    assert caught.value.what.startswith(what)


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("{{ lead.status_id | omit }}", False),
        ("{{ lead.loss | omit }}", False),
        ("{{ none | omit }}", False),
        ("{{ contact.phone | omit }}", False),
        ("{{ lead.status_id | decimal | omit }}", False),
        ("{{ lead.loss | decimal | omit }}", False),
        ("{{ lead.loss | phone | omit }}", False),
        ("{{ '1' | lookup('managers') | omit }}", False),
        ("{{ lead.id | omit }}", True),
        ("{{ 0 | omit }}", True),
        ("{{ false | omit }}", True),
        ("{{ [] | omit }}", True),
    ],
)
def test_omit_leaves_out_what_has_no_value(source: str, kept: bool) -> None:
    seen = rendered({"a": 1, "b": source, "c": [source, "последний"]})
    assert ("b" in seen, len(seen["c"])) == (kept, 1 + kept)


# --- filters


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1234567.5", "1 234 567,50"),
        ("1500", "1 500"),
        ("1500.00", "1 500"),
        ("0", "0"),
        ("999.995", "1 000"),
        ("0.005", "0,01"),
        ("-1234.5", "-1 234,50"),
        (1500, "1 500"),
        (0.1, "0,10"),
    ],
)
def test_money_is_for_people(value: object, text: str) -> None:
    assert of(value, "money") == text.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("value", "filter_", "text"),
    [
        ("1500", "decimal", "1500.00"),
        ("1500.5", "decimal", "1500.50"),
        ("0.005", "decimal", "0.01"),
        ("0.015", "decimal", "0.02"),
        ("-0.005", "decimal", "-0.01"),
        ("2.5", "decimal(0)", "3"),
        ("1", "decimal(places=3)", "1.000"),
        ("123456789012345678.125", "decimal", "123456789012345678.13"),
        ("0.000000000000000001", "decimal", "0.00"),
        (7, "decimal", "7.00"),
    ],
)
def test_decimal_is_exact_and_rounds_halves_up(value: object, filter_: str, text: str) -> None:
    assert of(value, filter_) == text


@pytest.mark.parametrize(
    ("value", "filter_", "units"),
    [("1500.50", "minor", 150050), ("1500", "minor", 150000), ("0.1", "minor", 10), ("1.500", "minor", 150),
     ("-0.01", "minor", -1), ("1500", "minor(0)", 1500), ("123456789012345678.12", "minor", 12345678901234567812)],
)  # fmt: skip
def test_minor_counts_the_smallest_unit(value: object, filter_: str, units: int) -> None:
    assert of(value, filter_) == units


@pytest.mark.parametrize(
    ("value", "filter_", "number"),
    [("42", "int", 42), ("42.9", "int", 42), ("-1.5", "int", -1), ("x", "int(default=7)", 7), ("", "int(0)", 0),
     ("42", "float", 42.0), ("0.5", "float", 0.5), ("x", "float(0)", 0)],
)  # fmt: skip
def test_int_and_float_read_texts(value: object, filter_: str, number: float) -> None:
    assert of(value, filter_) == number


@pytest.mark.parametrize("filter_", ["money", "decimal", "minor", "int", "float"])
@pytest.mark.parametrize("value", ["дорого", "1 500", "1,5", "1e3", "nan", "٣", "0x1f", " 1", "9" * 50, ["1"], True])
def test_what_is_no_number_is_rejected_with_the_value_seen(filter_: str, value: object) -> None:
    with pytest.raises(RejectDelivery, match=rf"^body: {filter_} needs a number like 1500.50, saw "):
        of(value, filter_)


@pytest.mark.parametrize(
    ("value", "filter_", "message"),
    [
        ("", "decimal", "body: decimal needs a number, saw an empty value"),
        (None, "minor", "body: minor needs a number, saw an empty value"),
        ("0.005", "minor", "minor counts 2 decimal places, saw '0.005', which is finer"),
        ("1.0000000000000000001", "minor", "minor needs a number"),
        ("1", "decimal(99)", "places goes from 0 to 6, saw 99"),
        ("завтра", "date", "date needs unix seconds like 1700000000, saw 'завтра'"),
        ("", "date", "date needs unix seconds, saw an empty value"),
        ("9" * 30, "date", "date cannot write '999999999999999999999999999999'"),
        ("1", "date(timezone=entity.value)", "'1' is not a time zone, write it as Europe/Moscow or UTC"),
        ("12345", "phone", r"\*\*\* is no valid phone number \(without a \+ it is read as one of RU\)"),
        ("8 916 000", "phone", r"8\*\*\*6000 is no valid phone number"),
        ("позвоните мне", "phone", r"\*\*\* is no phone number"),
        (["1"], "phone", "a list is no text"),
        ("1", "lookup(entity.value)", "there is no table '1'"),
        (["a"], "upper", r"a list is no text: write \| join\(', '\) or \| json"),
        ("a", "abs", "bad operand type for abs"),
    ],
)
def test_a_filter_rejects_what_it_cannot_use(value: object, filter_: str, message: str) -> None:
    with pytest.raises(RejectDelivery, match=message):
        of(value, filter_)


@pytest.mark.parametrize(
    ("value", "filter_", "number"),
    [
        ("+7 (916) 000-00-01", "phone", "+79160000001"),
        ("8 916 000-00-01", "phone", "+79160000001"),
        ("9160000001", "phone", "+79160000001"),
        ("8 701 000 00 01", "phone(region='KZ')", "+77010000001"),
        ("+44 20 7946 0000", "phone", "+442079460000"),
    ],
)
def test_phone_gives_e164(value: object, filter_: str, number: str) -> None:
    assert of(value, filter_) == number


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ lead.loss | phone }}", "^phone: the phone number is empty"),
        ("{{ contact.phone | phone }}", "^phone: contact.phone is not in this hook"),
        ("{{ lead.id | lookup('managers') }}", '^phone: table managers has no entry for "48500"'),
        ("{{ lead.loss | lookup('managers') }}", '^phone: table managers has no entry for ""'),
        ("{{ lead.id | lookup('managers') | phone }}", '^phone: table managers has no entry for "48500"'),
        ("+{{ lead.id | lookup('empty') }}", '^phone: table empty has no entry for "48500"'),
    ],
)
def test_nobody_to_deliver_to_skips_the_delivery(source: str, message: str) -> None:
    with pytest.raises(SkipDelivery, match=message):
        tree(source, "phone").render({"lead": LEAD})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [("-157766400", "01.01.1965"), (-157766400, "01.01.1965"), ("+86400", "02.01.1970"), ("-1", "31.12.1969")],
)
def test_a_date_may_be_before_1970_and_have_a_sign(seconds: object, text: str) -> None:
    assert of(seconds, "date") == text


@pytest.mark.parametrize("seconds", ["--1", "+", "-", "1-", "- 1", "-٣"])
def test_a_sign_alone_or_twice_is_no_date(seconds: str) -> None:
    with pytest.raises(RejectDelivery, match="date needs unix seconds like 1700000000"):
        of(seconds, "date")


@pytest.mark.parametrize(
    ("filter_", "value", "expected"),
    [
        ("int", "-5", -5), ("int", "+5", 5), ("float", "-0.5", -0.5), ("float", "+0.5", 0.5),
        ("decimal", "-1", "-1.00"), ("decimal", "+1", "1.00"), ("minor", "-1.5", -150), ("minor", "+1.5", 150),
        ("money", "-1500", "-1 500"),
    ],
)  # fmt: skip
def test_every_filter_of_numbers_takes_a_sign(filter_: str, value: str, expected: object) -> None:
    found = of(value, filter_)
    assert (found.replace("\u00a0", " ") if isinstance(found, str) else found) == expected


@pytest.mark.parametrize("key", ["102525", 102525])
def test_lookup_compares_keys_as_text(key: object) -> None:
    assert of(key, "lookup('managers')") == "+79160000001"


@pytest.mark.parametrize(
    ("filter_", "context", "text"),
    [
        ("date", {}, "14.11.2023"),
        ("date('%Y-%m-%d %H:%M')", {}, "2023-11-14 22:13"),
        ("date('%d %H:%M')", {"timezone": "Europe/Moscow"}, "15 01:13"),
        ("date('%d %H:%M', timezone='Asia/Almaty')", {"timezone": "Europe/Moscow"}, "15 04:13"),
    ],
)
def test_date_is_written_in_the_zone_of_the_source(filter_: str, context: dict[str, object], text: str) -> None:
    assert of("1700000000", filter_, **context) == text
    assert of(1700000000, filter_, **context) == text


@pytest.mark.parametrize(
    ("value", "filter_", "expected"),
    [
        (["a", "ж"], "json", '["a","ж"]'),
        ('"', "json", '"\\""'),
        ({"a": None}, "json", '{"a":null}'),
        (["a", "b"], "join(', ')", "a, b"),
        (["a", "b"], "first", "a"),
        (["a", "b"], "last", "b"),
        (["a", "b"], "length", 2),
        (["b", "a", "b"], "unique | sort | list", ["a", "b"]),
        (["a", "b"], "select('eq', 'b')", ["b"]),
        (["a", "b"], "reverse", ["b", "a"]),
        ("a-b-c", "replace('-', '')", "abc"),
        ("привет мир", "title", "Привет Мир"),
        (" a ", "trim", "a"),
        ("a b/ж", "urlencode", "a%20b/%D0%B6"),
        ("раз два три", "truncate(9)", "раз..."),
        ("раз два три", "truncate(9, killwords=true, end='…')", "раз два …"),
        ("раз", "truncate(9)", "раз"),
        ("<b>", "escape", "&lt;b&gt;"),
        (5, "string", "5"),
    ],
)
def test_the_other_filters(value: object, filter_: str, expected: object) -> None:
    assert of(value, filter_) == expected


# --- what relay check finds


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ lead.prise }}", "unknown field lead.prise; did you mean lead.price?"),
        ("{{ lead['prise'] }}", "unknown field lead.prise; did you mean lead.price?"),
        ("{{ lead.prise or 'x' }}", "unknown field lead.prise"),
        ("{% if lead.prise %}x{% endif %}", "unknown field lead.prise"),
        ("{% for tag in lead.taggs %}{{ tag }}{% endfor %}", "unknown field lead.taggs; did you mean lead.tags?"),
        ("{{ laed.price }}", "unknown variable laed; did you mean lead?"),
        ("{{ price }}", "unknown variable price; did you mean lead.price?"),
        ("{{ xyzzy }}", "unknown variable xyzzy; known are contact, entity, lead"),
        ("{{ lead.price | desimal }}", "unknown filter desimal; did you mean decimal?"),
        ("{{ lead.price | tojson }}", "unknown filter tojson; did you mean json?"),
        ("{{ lead.price | xyzzy }}", "unknown filter xyzzy; known are abs, capitalize"),
        ("{{ lead.price is xyzzy }}", "unknown test xyzzy"),
        ("{{ lead.id | lookup('manager') }}", "unknown table manager; did you mean managers?"),
        ("{{ lead.id | lookup(table='nope') }}", "unknown table nope; no such entry under tables:"),
        ("{{ lead.id | lookup }}", "lookup: missing a required argument: 'table'"),
        ("{{ lead.price | decimal(digits=2) }}", "decimal: got an unexpected keyword argument 'digits'"),
        ("{{ lead.created_at | date('%d', 'Europe/Moskow') }}", "'Europe/Moskow' is not a time zone"),
        ("{{ lead.price * 2 }}", r"lead.price is a text as amoCRM sends it.*write lead.price \| int"),
        ("{{ 1 + lead.custom['n'] }}", r'lead.custom\["n"\] is a text as amoCRM sends it'),
        ("{{ lead.status_id == 142 }}", "lead.status_id is a text as amoCRM sends it"),
        ("{{ 100 < lead.price }}", "lead.price is a text as amoCRM sends it"),
        ("{{ lead.name + ' ' }}", r"\+ computes with numbers: join texts with ~"),
        ("a {{ lead.id | omit }}", "omit leaves a key or list element out"),
        ("{{ lead.id | omit | upper }}", "omit leaves a key or list element out"),
        ("{{ lead.id", "the template is broken: unexpected end of template"),
        ("{% if lead.id %}", "the template is broken: Unexpected end of template"),
        ("a\nb {{ lead. }}", "line 2: the template is broken"),
        ("a\n\n{{ lead.prise }}", "line 3: unknown field lead.prise"),
        ("{% include 'x' %}", "include.* is not for contents: only if, for and set are"),
        ("{% macro f() %}{% endmacro %}", "macro.* is not for contents"),
        ("{{ '' . __class__ }}", "__class__ is private"),
        ("{{ lead._values }}", "_values is private"),
        ("{{ '{}'.format(lead) }}", r"\.format\(\) cannot be called here; use a filter"),
        ("{{ 'a'.ljust(9) }}", r"\.ljust\(\) cannot be called here"),
        ("{{ lead.tags.append('x') }}", r"\.append\(\) cannot be called here"),
        ("{{ cycler('a') }}", r"cycler\(\) is nothing to call"),
        ("{{ money(lead.price) }}", r"money\(\) is nothing to call; did you mean money\?"),
        ("{{ lead.tags[0]() }}", r"lead.tags\[0\] is nothing to call"),
        ("{{ self }}", "unknown variable self"),
        ("{{ " + "9" * 5000 + " }}", "the template cannot be compiled"),
        ("{{ " + "(" * 5000 + " }}", "the template cannot be compiled"),
    ],
)
def test_a_wrong_template_is_refused_with_what_would_be_right(source: str, message: str) -> None:
    with pytest.raises(TemplateErrors) as caught:
        tree({"amount": source})
    assert {path for path, _ in caught.value.errors} == {("body", "amount")}
    assert any(re.search(message, found) for _, found in caught.value.errors), caught.value.errors
    assert isinstance(caught.value, CompileErrors)


@pytest.mark.parametrize(
    "source",
    [
        "{{ lead.custom['что угодно'] }}{{ lead.custom.anything }}",
        "{{ entity.anything }}{{ entity['x y'] }}",
        "{{ lead.get('prise') }}",
        "{% for price in lead.tags %}{{ price }}{{ loop.last }}{% endfor %}",
        "{% set price = lead.price %}{{ price }}",
        "{% for name, value in lead.custom.items() %}{{ name }}{% endfor %}",
        "{{ timezone }}",
        "{{ lead.price | int * 2 if lead.price | int > 5 else 0 }}",
        "{{ lead.status_id == '142' }}",
        "{{ lead.id | lookup(lead.name) }}",
    ],
)
def test_what_a_template_may_name_is_accepted(source: str) -> None:
    assert tree(source)


def test_omit_needs_something_to_be_left_out_of() -> None:
    with pytest.raises(TemplateErrors, match="omit leaves a key or list element out"):
        tree("{{ lead.id | omit }}", "phone")


def test_a_view_shows_its_fields_and_beside_them_only_what_it_is_made_of() -> None:
    fields = {"get": "a hook's", "items": "its own", "custom_fields": [{"name": "Город", "values": ["Москва"]}]}
    view = views.View({"id": "7", **fields})
    source = "{{ entity.id }} {{ entity.items }} {{ entity.get('get') }} {{ entity.custom.get('Город') }}"
    assert rendered(source, entity=view) == "7 its own a hook's Москва"
    assert rendered("{{ entity.custom['Город'] }} {{ entity.custom.Город }}", entity=view) == "Москва Москва"
    with pytest.raises(MissingValue, match=r"entity\.nothing is not in this hook"):
        rendered("{{ entity.nothing }}", entity=view)


def test_every_error_is_reported_at_once_with_its_own_place() -> None:
    content = {"a": "{{ lead.prise }} {{ nope }}", "b": ["ok", {"c": "{{ lead.id"}], "d": "{{ lead.id | nope }}"}
    with pytest.raises(TemplateErrors) as caught:
        tree(content)
    assert [path for path, _ in caught.value.errors] == [
        ("body", "a"), ("body", "a"), ("body", "b", 1, "c"), ("body", "d")
    ]  # fmt: skip
    assert "body.b.1.c: the template is broken" in str(caught.value)


# --- the sandbox


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''['__class__'] }}",
        "{{ entity['__init__'] }}",
        "{{ entity['_values'] }}",
        "{{ entity['__class__']['__mro__'] }}",
        "{{ [entity] | map(attribute='__class__') }}",
        "{{ [''] | map(attribute='__class__.__mro__') | list }}",
        "{{ entity['__init__']['__globals__'] }}",
        "{{ (lead.get)['__globals__'] }}",
        "{{ range['__self__'] }}",
        "{{ entity[entity.value] }}",
    ],
)
def test_there_is_no_way_from_the_data_to_python(source: str) -> None:
    with pytest.raises(MissingValue, match="is not in this hook"):
        rendered(source, entity=View(value="__class__"))


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ lead.__init__.__globals__ }}",
        "{{ lead.name.format }}",
        "{{ '{0.__class__}'.format(lead) }}",
        "{{ '{a.__init__}'.format_map({'a': lead}) }}",
        "{{ '%s' % lead }}",
        "{{ lead | attr('__class__') }}",
        "{{ lead.name.encode() }}",
        "{{ lead.get.__func__ }}",
        "{{ [1].append(2) }}",
        "{{ {}.update({}) }}",
        "{{ (lead | string).join(['a']) }}",
    ],
)
def test_attacks_by_attribute_and_format_are_refused(source: str) -> None:
    with pytest.raises((TemplateErrors, RejectDelivery)):
        rendered(source)


@pytest.mark.parametrize(
    "source", ["{{ lead }}", "{{ lead.get }}", "{{ lead }} text", "{{ lead.tags }} text", "{{ lead | json }}"]
)
def test_only_data_is_put_out(source: str) -> None:
    with pytest.raises(RejectDelivery, match=r"^body: a "):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ (lead.name | upper) * 10**9 }}",
        "{{ [1] * 10**9 }}",
        "{{ (1, 2) * 10**9 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ 2 ** 100000 }}",
        "{{ range(10**9) }}",
        "{{ range(10**30) }}",
        "{{ range(1001) | list }}",
        "{% set a = '" + "a" * 100 + "' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
        "{% set a = [1] %}" + "{% set a = a + a %}" * 40 + "{{ a }}",
        "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a | json }}",
        "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a }}",
        "{{ (" + "[" * 60 + "]" * 60 + ") }}",
        "{% set a = 2 ** 200 %}{{ a * a }}",
        "{{ 'aaaa' | replace('', lead.name | replace('', '" + "a" * 100_000 + "')) }}",
        "{{ range(1000) | join('" + "a" * 5000 + "') }}",
        "{% for i in range(1000) %}{% for j in range(1000) %}" + "a" * 100 + "{% endfor %}{% endfor %}",
        "{{ 'a' | center(10**9) }}",
        "{{ lead.name | indent(10**9) }}",
        "{{ 5 | round(-10**9) }}",
        "{{ lipsum(n=10**9) }}",
        "{{ (5).to_bytes(10**9) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '\t'.expandtabs(10**9) }}",
    ],
)
def test_what_would_fill_the_memory_is_refused_before_it_does(source: str) -> None:
    with pytest.raises((TemplateErrors, RejectDelivery)):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 1 / 0 }}",
        "{{ lead.tags < 5 }}",
        "{{ -lead.name }}",
        "{{ lead.id + lead.price }}",
        "{{ (0-8) ** 0.5 }}",
        "{{ 1e308 * 10 }}",
    ],
)
def test_a_computation_that_fails_rejects_the_delivery(source: str) -> None:
    with pytest.raises((TemplateErrors, RejectDelivery)):
        rendered(source)


# --- how much


@pytest.mark.parametrize(
    "content", ["{{ entity.value }}", "{{ entity.value }}.", {"a": "{{ entity.value }}"}, ["x{{ entity.value }}"]]
)
@pytest.mark.parametrize("letter", ["a", "ж"])
def test_the_cap_is_in_bytes(content: object, letter: str) -> None:
    size = len(letter.encode())
    assert tree(content).render({"entity": View(value=letter * 10)}, cap=size * 10 + 1)
    with pytest.raises(RejectDelivery, match=r"^body(.[a0])?: the content is larger than \d+ bytes"):
        tree(content).render({"entity": View(value=letter * 10)}, cap=size * 10 - 1)


def test_the_cap_counts_the_delivery_as_a_whole() -> None:
    content = tree({"a": "{{ lead.id }}", "b": ["{{ lead.id }}", "{{ lead.tags }}"]})
    with pytest.raises(RejectDelivery, match="larger than 15 bytes"):
        content.render({"lead": LEAD}, cap=15)
    assert content.render({"lead": LEAD}, cap=50)


def test_64_kib_is_the_cap_unless_said_otherwise() -> None:
    content = tree("{{ entity.value }}")
    assert content.render({"entity": View(value="a" * 65536)})
    with pytest.raises(RejectDelivery, match="larger than 65536 bytes"):
        content.render({"entity": View(value="a" * 65537)})


def test_half_a_character_is_rejected() -> None:
    """A lone surrogate cannot be written as UTF-8, so no body could carry it."""
    with pytest.raises(RejectDelivery, match="body: the text holds half a character"):
        rendered("{{ entity.value }}", entity=View(value="a\ud800"))


# --- laws

PAYLOADS = st.text(st.characters()) | st.sampled_from(
    [
        "{{ lead.id }}",
        "{{ 7*7 }}",
        "{% raw %}",
        "{{",
        "%}",
        "{#",
        "__class__",
        "{0.__class__}",
        "%s",
        "1500.50",
        "-0",
        "1e5",
    ]
)
CONTENTS: list[object] = [
    "{{ entity.value }}",
    "до {{ entity.value }} после",
    {"a": ["{{ entity.value | trim }}", "{{ entity.value | default('нет') }}"], "b": "{{ entity.value | omit }}"},
    *(
        "{{ entity.value | " + filter_ + " }}"
        for filter_ in (
            "money", "decimal", "minor", "int", "float", "phone", "date", "json", "lookup('managers')", "upper",
            "title", "urlencode", "truncate(3)", "replace('a', 'b')", "escape", "list", "first", "length",
            "sort | join",
            "abs",
            "date(entity.value)", "phone(entity.value)", "truncate(5, end=entity.value)", "map('int') | list",
            "int + 1",
        )
    ),
    "{{ entity.value < 'b' }}{{ entity.value ~ 1 }}{{ entity.value[:2] }}{{ entity.value.split('a') | join }}",
]  # fmt: skip
TREES = [tree(content) for content in CONTENTS]


@given(PAYLOADS.filter(lambda text: not re.search("[\ud800-\udfff]", text)))
def test_what_a_sender_sends_is_never_a_template(payload: str) -> None:
    view = View(value=payload)
    assert TREES[0].render({"entity": view}) == payload
    assert TREES[1].render({"entity": view}) == f"до {payload} после"


@given(st.sampled_from(TREES), PAYLOADS | st.lists(PAYLOADS, max_size=3) | st.none())
def test_any_value_renders_to_json_or_is_explained(content: CompiledContent, payload: object) -> None:
    try:
        seen = content.render({"entity": View(value=payload)})
    except RelayError as error:
        seen = str(error).encode(errors="replace").decode()
    assert msgspec.json.decode(msgspec.json.encode(seen)) == seen


FRAGMENTS = st.lists(
    st.sampled_from(
        ["{{", "}}", "{%", "%}", " lead", ".", "price", "|", " money", "if ", "for ", "x ", "in ", "endif", "endfor",
         "set ", "=", "(", ")", "[", "]", "'", "5", "~", "*", "+", " is ", "not ", "none", "{", "}", ":", ",", "loop",
         "omit", "\n", "-"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(FRAGMENTS | st.text())
def test_any_text_is_compiled_or_refused_and_what_is_compiled_only_raises_our_errors(source: str) -> None:
    try:
        seen = rendered({"a": source})
    except RelayError as error:
        seen = {"a": str(error)}
    assert isinstance(seen, dict)
