"""What becomes of receipts, each for itself, however many are planned at once."""

import gzip
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.config.load import load
from relay.model import DeliveryState, Receipt, ReceiptState, Subscription
from relay.planning import plan_receipt, plan_receipts
from relay.sinks.registry import sink_types

HOOKS = sorted((Path(__file__).parents[1] / "fixtures" / "amocrm").glob("*.form"))
CONFIG = load(
    """
sources:
  acme: {type: amocrm, token: long-enough, account: {subdomain: acme}, ignore_users: [504141], api: {token: x}}
sinks:
  books: {type: http, url: "http://127.0.0.1/"}
  copies: {type: http, url: "http://127.0.0.1/"}
  texts: {type: smsc, login: acme, password: a-password, sender: ACME}
routes:
  - {name: won, on: status_lead, where: {status_id: 142}, to: [books, copies], body: {id: "{{ lead.id }}"}}
  - {name: priced, on: [add_lead, status_lead, update_lead], to: books, body: {price: "{{ lead.price | decimal }}"}}
  - {name: once, on: [add_lead, update_lead], once: "{{ lead.name }}", to: books, body: {id: "{{ lead.id }}"}}
  - {name: looked up, on: add_lead, fetch: contacts, to: books, body: {email: "{{ contact.email }}"}}
  - {name: text, on: [add_contact, update_contact], to: texts, phone: "{{ contact.phone }}", text: "{{ contact.name }}"}
""",
    file="relay.yaml",
    environ={},
    sink_types=sink_types(),
)
SINKS = {name: sink_types()[keys.type](name, keys) for name, keys in CONFIG.sinks.items()}
SUBSCRIBED = {
    "acme": [
        Subscription(
            id=1, source="acme", url="https://crm.example.com/1", name="", disabled=False, disabled_reason="",
            events=frozenset({"add_lead", "add_contact"}), created_at=1, updated_at=1, created_by="", sort=0,
        )
    ]
}  # fmt: skip
OTHERS = [
    b"leads[add][0][id]=1&leads[add][0][name]=&account[subdomain]=acme",
    b"leads[add][0][id]=1&leads[add][0][modified_user_id]=504141&account[subdomain]=acme",
    b"leads[add][0][id]=1&account[subdomain]=elsewhere",
    b"leads[add][0][id]=1&leads[add][1][id]=2&leads[update][0][id]=3&leads[update][0][name]=x&account[subdomain]=acme",
    b"account[subdomain]=acme",
    b"nonsense",
    b"",
]
BODIES = [path.read_bytes() for path in HOOKS] + OTHERS
SOURCES = ["acme", "one that left the configuration"]


def receipt(n: int, body: bytes, source: str) -> Receipt:
    return Receipt(id=f"r{n}", source=source, received_at=5, body=body, content_type="")


@settings(deadline=None)  # the first phone number loads the numbering plans
@given(st.lists(st.tuples(st.sampled_from(BODIES), st.sampled_from(SOURCES)), max_size=12))
def test_a_batch_comes_to_what_its_receipts_come_to_one_by_one(hooks):
    receipts = [receipt(n, *hook) for n, hook in enumerate(hooks)]
    alone = [plan_receipt(one, CONFIG, SINKS, SUBSCRIBED) for one in receipts]
    assert plan_receipts(receipts, CONFIG, SINKS, SUBSCRIBED) == alone


def test_among_these_hooks_is_every_end_that_a_receipt_and_a_delivery_can_have():
    planned = plan_receipts([receipt(n, body, "acme") for n, body in enumerate(BODIES)], CONFIG, SINKS, SUBSCRIBED)
    ends = {one.state for one in planned}
    assert ends == {ReceiptState.ROUTED, ReceiptState.UNROUTED, ReceiptState.REFUSED, ReceiptState.MALFORMED}
    made = [delivery for one in planned for delivery in one.deliveries]
    assert {one.state for one in made} == {DeliveryState.PENDING, DeliveryState.DEAD, DeliveryState.SKIPPED}
    assert {one.route for one in made} == {*(route.name for route in CONFIG.routes), "subscription"}
    assert {one.route for one in made if one.needs_lookup} == {"looked up"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (OTHERS[1], "changed by user 504141, who is in ignore_users of this source"),
        (OTHERS[2], "it is from 'elsewhere', this source is 'acme'"),
    ],
)
def test_what_is_refused_is_listed_with_its_reason_and_goes_nowhere(body, reason):
    routed = plan_receipt(receipt(1, body, "acme"), CONFIG, SINKS, SUBSCRIBED)
    assert (routed.state, routed.reason, routed.deliveries) == (ReceiptState.REFUSED, reason, [])
    assert [(event.state, event.reason) for event in routed.events] == [(ReceiptState.REFUSED, reason)]


def test_what_could_not_be_read_is_remarked_beside_what_was():
    routed = plan_receipt(receipt(1, b"leads[add][0][id]=1&tags[]=a&account[subdomain]=acme", "acme"), CONFIG, SINKS)
    assert routed.state is ReceiptState.ROUTED
    assert routed.remarks == ["'tags': an index where its action is expected, as in tags[update][0][id]"]
    malformed = plan_receipt(receipt(1, b"leads[5][id]=1", "acme"), CONFIG, SINKS)
    assert malformed.state is ReceiptState.MALFORMED
    assert malformed.remarks == ["'leads[5]': an index where its action is expected, as in leads[update][0][id]"]


def test_what_inflates_to_over_the_limit_of_the_configuration_is_malformed():
    bomb = msgspec.structs.replace(
        receipt(1, gzip.compress(b"leads[add][0][id]=1&x=" + b"a" * (1 << 20)), "acme"), content_encoding="gzip"
    )
    routed = plan_receipt(bomb, CONFIG, SINKS)
    assert routed.state is ReceiptState.MALFORMED
    assert routed.reason == "body: it inflates to over 1,048,576 bytes, the limit (ingress.max_body)"


def test_one_whose_key_is_known_keeps_its_once_identity_though_nothing_can_be_rendered():
    body = b"leads[add][0][name]=x&account[subdomain]=acme"  # no id
    first, second = (
        next(one for one in plan_receipt(receipt(n, body, "acme"), CONFIG, SINKS).deliveries if one.route == "once")
        for n in (1, 2)
    )
    assert (first.once, first.state, first.id) == (True, DeliveryState.DEAD, second.id)
