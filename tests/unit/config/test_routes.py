"""Routes against what they refer to: the message of each mistake, by line:column."""

from collections.abc import Callable

import pytest

from relay.errors import ConfigError

Errors = Callable[..., list[str]]
Load = Callable[..., object]


@pytest.mark.parametrize(
    ("route", "finding"),
    [
        ("on: add_lead, to: books", "11:3: name is missing"),
        ("name: one, to: books", "11:3: on is missing"),
        ("name: one, on: add_lead", "11:3: to is missing"),
        ("name: one, on: [], to: books", "11:19: on: must not be empty"),
        ("name: one, on: status_leed, to: books", "11:19: unknown event status_leed, did you mean status_lead?"),
        (
            "name: one, on: [add_lead, add_leed], to: books",
            "11:30: unknown event add_leed, did you mean add_lead?",
        ),
        ("name: one, source: acmee, on: add_lead, to: books", "11:23: unknown source acmee, did you mean acme?"),
        ("name: one, on: add_lead, to: bookz", "11:33: unknown sink bookz, did you mean books?"),
        ("name: one, on: add_lead, to: [books, telegram]", "11:41: unknown sink telegram, known: books, sms"),
        (
            "name: one, on: add_lead, to: [books, sms]",
            "11:33: to: sinks of one type only (books is post, sms is text): write a route for each",
        ),
        ("name: one, on: add_lead, to: books, pth: /x", "11:40: unknown key pth, did you mean path?"),
        ("name: one, on: add_lead, to: books, were: {}", "11:40: unknown key were, did you mean where?"),
        (
            "name: one, on: add_lead, to: books, fetch: [contacts]",
            "11:40: fetch asks the account, and source acme has no api: write it there",
        ),
        ("name: one, on: add_lead, to: sms, phone: '1'", "11:3: text is missing: a sink of type text needs it"),
        ("name: one, on: add_lead, to: books, body: {}, form: {}", "11:3: give only one of body and form"),
        (
            "name: one, on: add_lead, to: books, body: invoise",
            "11:46: unknown template invoise, did you mean invoice? (a text is written as {{ '…' }})",
        ),
        (
            "name: one, on: add_lead, where: , to: books",
            "11:29: where is empty: write a condition, or remove the key",
        ),
        (
            "name: one, on: add_lead, where: {prise: {gt: 0}}, to: books",
            "11:37: add_lead has no field prise, did you mean price?",
        ),
        (
            "name: one, on: update_lead, where: {price: {changed: true}}, to: books",
            "11:48: can never hold: update_lead carries no old_price",
        ),
        (
            "name: one, on: add_lead, where: {price: {gt: much}}, to: books",
            '11:45: can never hold: it compares numbers, and "much" is none',
        ),
        (
            "name: one, on: add_lead, to: books, path: '/{{ lead.nam }}'",
            "11:46: unknown field lead.nam; did you mean lead.name?",
        ),
        (
            "name: one, on: add_lead, to: books, body: {a: [1, '{{ lead.price | decimel }}']}",
            "11:54: unknown filter decimel; did you mean decimal?",
        ),
        (
            "name: one, on: add_lead, to: books, body: '{{ 1 | lookup(\"manager\") }}'",
            "11:46: unknown table manager; did you mean managers?",
        ),
        (
            "name: one, on: add_lead, once: '{{ contact.id }}', to: books",
            "11:35: unknown variable contact; a lead's hook has none: once is known before they are looked up",
        ),
        (
            "name: one, on: [add_lead, add_contact], to: books, body: {id: '{{ lead.id }}'}",
            "11:66: add_contact: unknown variable lead; known are account, contact, event",
        ),
        (
            "name: one, on: [add_lead, add_contact], to: books, body: invoice",
            "9:17: add_contact: unknown variable lead; known are account, contact, event",
        ),
    ],
)
def test_a_route(route_errors: Errors, route: str, finding: str) -> None:
    assert route_errors(f"- {{{route}}}") == [finding]


def test_a_field_must_be_there_for_every_event_of_the_route(route_errors: Errors) -> None:
    route = "- {name: one, on: [add_lead, add_task], where: {any: [{id: 1}, {pipeline_id: 5}]}, to: books}"
    (finding,) = route_errors(route)
    assert finding.startswith("11:65: add_task has no field pipeline_id, known: account_id, ")


def test_two_routes_cannot_have_one_name(route_errors: Errors) -> None:
    routes = "- {name: one, on: add_lead, to: books}\n- {name: one, on: add_task, to: books}"
    assert route_errors(routes) == ["12:10: the name one is here twice, first at 11:10: give each its own"]


def test_no_route_has_the_name_of_what_asks_sinks_to_forget_somebody(route_errors: Errors) -> None:
    error = "11:10: erasure is the name of what asks a sink to forget somebody: give it another one"
    assert route_errors("- {name: erasure, on: add_lead, to: books}") == [error]


@pytest.mark.parametrize(
    "route",
    [
        "on: [add_lead, add_contact], to: books, body: {id: '{{ event.entity_id }}', of: '{{ account.subdomain }}'}",
        "on: add_message, where: {anything_amocrm_may_send: x}, to: books, body: {a: '{{ entity.anything }}'}",
        "on: status_lead, where: {status_id: {changed: true}}, to: books",
        "on: [note_lead, note_contact], where: {entity: lead}, to: books, body: {text: '{{ note.text }}'}",
        "on: add_contact, where: {custom: {'Город': Москва}}, to: books",
        "on: add_lead, to: books, body: '{{ lead.id }}'",
        "on: add_lead, to: books, body: '{% if lead.id %}x{% endif %}'",
        "on: add_lead, to: sms, phone: \"{{ 17 | lookup('managers') }}\", text: invoice",
    ],
)
def test_what_is_right_is_no_error(load_routes: Load, route: str) -> None:
    assert [one.name for one in load_routes(f"- {{name: one, {route}}}").routes] == ["one"]


TRIAL = """\
sources: {acme: {type: amocrm, token: long-enough}}
sinks: {console: {type: trial}}
routes:
  - {name: one, on: add_lead, to: console, %s}
"""


def test_a_sink_for_trying_out_takes_the_keys_of_every_other_type(load_with_trial: Load) -> None:
    assert load_with_trial(TRIAL % "phone: '1', path: /x, body: '{{ lead.id }}'")


def test_an_unknown_key_of_a_sink_for_trying_out_is_an_error_too(load_with_trial: Load) -> None:
    with pytest.raises(ConfigError, match="4:44: unknown key phome, did you mean phone"):
        load_with_trial(TRIAL % "phome: '1'")
