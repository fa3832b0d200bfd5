"""Routes on the relay's own facts: what they may name, and what is a mistake."""

import pytest

from tests.unit.config.conftest import HEAD, Errors, Load

ROUTE = "  - {name: alerts, on: [%s], to: books, path: /a, %s}"


def test_a_route_sees_the_views_of_its_facts(load_text: Load) -> None:
    body = '{t: "{{ fact.text }} {{ delivery.route }} {{ sink.type }}"}'
    rest = f'where: {{sink: books, reason: {{contains: "4"}}}}, body: {body}'
    config = load_text(HEAD + ROUTE % ("delivery_dead, delivery_held", rest))
    assert config.asked_facts == {"delivery_dead": "grouped", "delivery_held": "grouped"}
    assert [route.name for route in config.routes_for("_relay", {"delivery_dead"})] == ["alerts"]
    assert config.routes_for("acme", {"delivery_dead"}) == ()


def test_each_and_together_may_both_be_asked_for(load_text: Load) -> None:
    routes = [ROUTE % ("drift", 'each: true, body: {t: "{{ fact.title }}"}'), ROUTE % ("drift", "body: {t: x}")]
    config = load_text(HEAD + "\n".join([routes[0].replace("alerts", "each"), routes[1]]))
    assert config.asked_facts == {"drift": "each grouped"}


@pytest.mark.parametrize(
    ("on", "rest", "message"),
    [
        ("dead_letter", "body: {}", "unknown event dead_letter, write delivery_dead"),
        ("circuit_open", "body: {}", "unknown event circuit_open, write sink_closed"),
        ("delivery_ded", "body: {}", "unknown event delivery_ded, did you mean delivery_dead?"),
        (
            "drift, add_lead",
            "body: {}",
            "drift is a fact of the relay, and add_lead an event of amoCRM: write a route for each",
        ),
        ("drift", "source: acme, body: {}", "the relay's own facts have no source: write it in where, as source: acme"),
        (
            "add_lead",
            "each: true, body: {}",
            "each is about the relay's own facts: every event of amoCRM is routed alone",
        ),
        ("drift", 'body: {a: "{{ delivery.id }}"}', "unknown variable delivery; known are event, fact, problem"),
        ("drift", "where: {sink: books}, body: {}", "drift has no field sink, "),
        (
            "drift",
            "fetch: contacts, body: {}",
            "fetch looks up the people behind a lead, and drift is not about a lead",
        ),
    ],
)
def test_mistakes_in_routes_on_facts(errors_in: Errors, on: str, rest: str, message: str) -> None:
    assert any(message in error for error in errors_in(HEAD + ROUTE % (on, rest)))


@pytest.mark.parametrize(
    "pages", ["relay.example.com", "https://u:p@relay.example.com", "https://relay.example.com?x=1"]
)
def test_the_address_of_the_pages_is_one(errors_in: Errors, pages: str) -> None:
    assert any("is not where the pages are" in error for error in errors_in(f'facts: {{pages: "{pages}"}}\n{HEAD}  []'))
