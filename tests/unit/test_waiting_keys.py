"""`order` and `latest` of a route: which keys deliveries get, and what `relay check` says of wrong ones."""

import pytest

from relay.config.load import load
from relay.errors import ConfigError
from relay.model import DeliveryState, NewDelivery, Receipt
from relay.operations.explanation import explain_receipt
from relay.planning import plan_receipt
from relay.sinks.registry import make_sinks, sink_types

HEAD = """\
sources:
  acme: {type: amocrm, token: long-enough, account: {subdomain: acme}, timezone: UTC, api: {token: long-enough}}
  shop: {type: amocrm, token: long-enough2, account: {subdomain: shop}, timezone: UTC}
sinks:
  books: {type: http, url: "http://127.0.0.1/"}
  papers: {type: http, url: "http://127.0.0.1/"}
routes:
"""
BODY = b"leads[add][0][id]=7&leads[add][0][name]=Pipes&leads[add][0][tags][0][name]=a&leads[add][0][tags][1][name]=b"


def route(text: str, name: str = "one", on: str = "add_lead") -> str:
    return f"{HEAD}  - {{name: {name}, on: {on}, body: {{id: '{{{{ lead.id }}}}'}}, {text}}}\n"


def configure(text: str):
    return load(text, file="relay.yaml", environ={}, sink_types=sink_types())


def made(text: str, source: str = "acme", body: bytes = BODY) -> list[NewDelivery]:
    config = configure(text)
    receipt = Receipt(id="r1", source=source, received_at=5, body=body)
    return list(plan_receipt(receipt, config, make_sinks(config)).deliveries)


@pytest.mark.parametrize("key", ["order", "latest"])
def test_a_delivery_has_the_digest_of_its_key(key):
    text = route(f"to: [books, papers], {key}: '{{{{ lead.id }}}}'")
    first, second = made(text)
    assert getattr(first, key) == getattr(second, key) != ""
    assert len(getattr(first, key)) == 16
    others = [
        *made(text, source="shop"),
        *made(route(f"to: books, {key}: '{{{{ lead.name }}}}'")),
        *made(route(f"to: books, {key}: '{{{{ lead.id }}}}'", name="two")),
    ]
    assert getattr(first, key) not in {getattr(one, key) for one in others}


@pytest.mark.parametrize("key", ["order", "latest"])
def test_an_empty_key_is_none(key):
    (delivery,) = made(route(f"to: books, {key}: \"{{{{ lead.custom['Город'] | default('') }}}}\""))
    assert (delivery.state, delivery.order, delivery.latest) == (DeliveryState.PENDING, "", "")


def test_a_key_may_be_the_same_for_all_of_a_route():
    first, second = made(route("to: [books, papers], order: all"))
    assert first.order == second.order != ""


@pytest.mark.parametrize("key", ["order", "latest"])
def test_a_key_of_several_values_is_refused(key):
    (delivery,) = made(route(f"to: books, {key}: '{{{{ lead.tags }}}}'"))
    assert delivery.state is DeliveryState.DEAD
    assert delivery.reason == f"{key}: its value is not one text or number but several; add a filter such as join"


@pytest.mark.parametrize("more", ["shadow: true", "where: {name: Pipes}, shadow: true"])
def test_what_is_never_sent_waits_for_nothing(more):
    (delivery,) = made(route(f"to: books, order: '{{{{ lead.id }}}}', {more}"))
    assert (delivery.state, delivery.order) == (DeliveryState.SHADOWED, "")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("order: 5", "8:78: order: must be a text: quote it"),
        ("latest: [a]", "8:79: latest: must be a text"),
        ("order: ''", "8:78: order: must not be empty"),
        ("order: lead.id", '8:78: lead.id is sent as it stands: write "{{ lead.id }}"'),
        ("latest: '{{ lead.nmae }}'", "8:79: unknown field lead.nmae; did you mean lead.name?"),
        ("fetch: contacts, latest: '{{ contact.id }}'", "latest is known before they are looked up"),
    ],
)
def test_a_wrong_key_is_found(text, finding):
    with pytest.raises(ConfigError) as error:
        configure(route(f"to: books, {text}"))
    assert finding in str(error.value)


def test_an_explanation_shows_both_keys():
    config = configure(route("to: books, order: '{{ lead.id }}', latest: '{{ lead.name }}'"))
    explanation = explain_receipt(Receipt(id="r1", source="acme", received_at=5, body=BODY), config, None)
    (delivery,) = explanation.deliveries
    assert (delivery.order_key, delivery.latest_key) == ("7", "Pipes")
