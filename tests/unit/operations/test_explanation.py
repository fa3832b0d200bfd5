"""An explanation says for every route that it matches and what would be sent, or which condition failed on what."""

import msgspec
import pytest

from relay.config.config import Config
from relay.config.load import load
from relay.errors import RelayError
from relay.operations.explanation import explain_receipt, receipt_from_body
from relay.sinks.registry import sink_types

YAML = """
sources:
  acme: {type: amocrm, token: a-token-of-ours, account: {id: 7039099}}
sinks:
  books: {type: http, url: "https://books.example.com/api", auth: {bearer: top-secret-key}}
routes:
  - name: invoice
    on: status_lead
    where: {status_id: 142, price: {gt: 0}}
    to: books
    path: /invoices
    body: {amount: "{{ lead.price | decimal }}"}
  - name: contacts
    on: add_contact
    to: books
    body: {id: "{{ contact.id }}"}
  - name: needs a phone
    on: status_lead
    to: books
    body: {who: "{{ lead.custom['Телефон'] }}"}
"""


@pytest.fixture(scope="module")
def config() -> Config:
    return load(YAML, file="relay.yaml", environ={}, sink_types=sink_types())


def body(price: str = "1500", account: str = "7039099") -> bytes:
    lead = f"leads[status][0][id]=77&leads[status][0][status_id]=142&leads[status][0][price]={price}"
    return f"account[id]={account}&{lead}".encode()


def test_a_route_that_matches_shows_its_request_without_secrets(config: Config) -> None:
    explanation = explain_receipt(receipt_from_body(body(), "acme"), config, None)
    route = explanation.events[0].routes[0]
    assert route.matched
    request = route.deliveries[0].request
    assert request["url"] == "https://books.example.com/api/invoices"
    assert request["body"] == {"amount": "1500.00"}
    assert b"top-secret-key" not in msgspec.json.encode(explanation)


def test_a_route_that_does_not_match_says_which_clause_and_the_value_seen(config: Config) -> None:
    invoice, contacts, _ = explain_receipt(receipt_from_body(body(price="0"), "acme"), config, None).events[0].routes
    assert not invoice.matched
    assert "price gt 0" in invoice.because
    assert '"0"' in invoice.because
    assert not contacts.matched
    assert "status_lead" in contacts.because


def test_a_delivery_that_cannot_be_rendered_says_what_is_missing(config: Config) -> None:
    delivery = explain_receipt(receipt_from_body(body(), "acme"), config, None).events[0].routes[2].deliveries[0]
    assert delivery.state == "dead"
    assert "Телефон" in delivery.reason
    assert delivery.request is None


def test_another_accounts_hook_is_explained_as_refused(config: Config) -> None:
    explanation = explain_receipt(receipt_from_body(body(account="1"), "acme"), config, None)
    assert explanation.state == "refused"
    assert "account 1" in explanation.reason


def test_a_body_that_is_not_a_hook_says_why(config: Config) -> None:
    explanation = explain_receipt(receipt_from_body(b"a=b", "acme"), config, None)
    assert explanation.state == "malformed"
    assert explanation.events == []
    assert "no event in it" in explanation.reason


def test_one_event_of_several_can_be_asked_for(config: Config) -> None:
    two = body() + b"&leads[delete][0][id]=78"
    explanation = explain_receipt(receipt_from_body(two, "acme"), config, "1")
    assert [event.event for event in explanation.events] == ["delete_lead"]
    with pytest.raises(RelayError, match="has no event 2"):
        explain_receipt(receipt_from_body(two, "acme"), config, "2")
