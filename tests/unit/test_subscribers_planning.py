"""Which subscribers an event goes to, and with what."""

import dataclasses
from pathlib import Path

import msgspec
import pytest

from relay.amocrm.events import decode_receipt
from relay.amocrm.form import encode_form
from relay.config.load import load
from relay.model import Receipt, ReceiptState, Subscription
from relay.planning import plan_receipt
from relay.sinks.registry import sink_types

HOOKS = Path(__file__).parents[1] / "fixtures" / "amocrm"
CONFIG = load(
    """
sources:
  acme: {type: amocrm, token: long-enough, account: {subdomain: acme}, ignore_users: [504141]}
  other: {type: amocrm, token: long-enough-too}
sinks:
  books: {type: http, url: "http://127.0.0.1/"}
routes:
  - {name: won, source: acme, on: status_lead, where: {status_id: 142}, to: books, body: {id: "{{ lead.id }}"}}
""",
    file="relay.yaml",
    environ={},
    sink_types=sink_types(),
)
SINKS = {name: sink_types()[settings.type](name, settings) for name, settings in CONFIG.sinks.items()}


def receipt(body, source="acme"):
    return Receipt(id="r1", source=source, received_at=5, body=body.encode(), content_type="")


def subscription(id, *events, source="acme", disabled=False):
    return Subscription(
        id=id, source=source, url=f"https://crm.example.com/{id}", name="", events=frozenset(events),
        disabled=disabled, disabled_reason="", created_at=1, updated_at=1, created_by="", sort=0,
    )  # fmt: skip


def planned(body, *subscriptions, source="acme", config=CONFIG):
    subscribed = {}
    for one in subscriptions:
        subscribed.setdefault(one.source, []).append(one)
    return plan_receipt(receipt(body, source), config, SINKS, subscribed)


STATUS = "leads[status][0][id]=7&leads[status][0][status_id]=1&account[subdomain]=acme"
WON = "leads[status][0][id]=7&leads[status][0][status_id]=142&account[subdomain]=acme"


def test_each_active_subscription_to_one_of_its_names_is_a_delivery():
    routed = planned(
        STATUS,
        subscription(1, "status_lead", "add_lead"),
        subscription(2, "add_lead"),
        subscription(3, "status_lead", disabled=True),
        subscription(4, "status_lead", source="other"),
        subscription(5, "status_lead"),
    )
    assert routed.state is ReceiptState.ROUTED
    assert [(d.route, d.sink, d.event_id) for d in routed.deliveries] == [
        ("subscription", "sub-1", "r1.0"),
        ("subscription", "sub-5", "r1.0"),
    ]
    assert {d.content for d in routed.deliveries} == {
        b"account%5Bsubdomain%5D=acme&leads%5Bstatus%5D%5B0%5D%5Bid%5D=7&leads%5Bstatus%5D%5B0%5D%5Bstatus_id%5D=1"
    }


def test_routes_and_subscribers_do_not_stand_in_each_other_s_way():
    routed = planned(WON, subscription(1, "status_lead"))
    assert [(d.route, d.sink) for d in routed.deliveries] == [("won", "books"), ("subscription", "sub-1")]


@pytest.mark.parametrize("subscriptions", [(), (subscription(1, "add_lead"),)])
def test_an_event_that_nobody_wants_is_unrouted(subscriptions):
    routed = planned(STATUS, *subscriptions)
    assert (routed.state, routed.reason, routed.deliveries) == (ReceiptState.UNROUTED, "no route matched", [])


def test_a_handed_over_contact_goes_to_who_subscribed_to_responsible_contact_once():
    change = {"id": "7", "old_responsible_user_id": "1", "responsible_user_id": "2"}
    body = encode_form({"contacts": {"update": [change]}}).decode()
    both = subscription(1, "update_contact", "responsible_contact")
    routed = planned(body, both, subscription(2, "responsible_contact"), subscription(3, "responsible_lead"))
    assert [d.sink for d in routed.deliveries] == ["sub-1", "sub-2"]
    assert len({d.content for d in routed.deliveries}) == 1


@pytest.mark.parametrize(
    "body",
    [
        "leads[status][0][id]=7&account[subdomain]=another",
        "leads[status][0][id]=7&leads[status][0][modified_user_id]=504141&account[subdomain]=acme",
    ],
)
def test_what_is_refused_goes_to_nobody(body):
    routed = planned(body, subscription(1, "status_lead"))
    assert routed.state is ReceiptState.REFUSED
    assert not routed.deliveries


def test_each_event_of_a_hook_goes_alone():
    body = "leads[status][0][id]=7&leads[status][1][id]=8&leads[add][0][id]=9&account[subdomain]=acme"
    routed = planned(body, subscription(1, "status_lead"), subscription(2, "status_lead", "add_lead"))
    assert [(d.event_id, d.sink) for d in routed.deliveries] == [
        ("r1.0", "sub-1"),
        ("r1.0", "sub-2"),
        ("r1.1", "sub-1"),
        ("r1.1", "sub-2"),
        ("r1.2", "sub-2"),
    ]


def test_the_same_receipt_and_subscriptions_make_the_same_deliveries():
    subscriptions = subscription(1, "status_lead"), subscription(2, "status_lead")
    first, second = planned(STATUS, *subscriptions), planned(STATUS, *subscriptions)
    assert first == second
    assert len({d.id for d in first.deliveries}) == 2


@pytest.mark.parametrize("path", sorted(set(HOOKS.glob("*.form")) - {HOOKS / "contact_cut.form"}), ids=lambda p: p.stem)
def test_what_is_sent_on_means_to_a_listener_what_amocrm_sent(path):
    """For every fixture: to who subscribed to everything each event goes, and decoded again it is the same event."""
    original = Receipt(id="r1", source="other", received_at=5, body=path.read_bytes(), content_type="")
    account, events = decode_receipt(original)
    everything = subscription(1, *(event.name for event in events), source="other")
    routed = plan_receipt(original, CONFIG, SINKS, {"other": [everything]})
    assert len(routed.deliveries) == len(events)
    for event, delivery in zip(events, routed.deliveries, strict=True):
        sent_on = Receipt(id="r1", source="other", received_at=5, body=delivery.content, content_type="")
        assert decode_receipt(sent_on) == (account, (msgspec.structs.replace(event, id="r1.0", index=0),))


CONTACT = {
    "id": "7", "name": "Anna", "type": "contact", "responsible_user_id": "9",
    "custom_fields": [
        {"id": "1", "name": "Телефон", "code": "PHONE", "values": [{"value": "+79161234567"}]},
        {"id": "2", "name": "Город", "values": [{"value": "Тверь"}]},
    ],
}  # fmt: skip


def limited(**settings):
    subscribers = CONFIG.subscribers.model_copy(update=settings)
    return dataclasses.replace(CONFIG, subscribers=subscribers)


def sent(body, allowed):
    (delivery,) = planned(body, subscription(1, "add_contact"), config=limited(allowed_fields=allowed)).deliveries
    return decode_receipt(receipt(delivery.content.decode()))[1][0].data


@pytest.mark.parametrize(
    ("allowed", "kept"),
    [
        ([], {"id": "7", "type": "contact"}),
        (["name"], {"id": "7", "type": "contact", "name": "Anna"}),
        (["custom_fields.Город"], {"id": "7", "type": "contact", "custom_fields": CONTACT["custom_fields"][1:]}),
        (["custom_fields.PHONE"], {"id": "7", "type": "contact", "custom_fields": CONTACT["custom_fields"][:1]}),
        (["custom_fields", "name", "responsible_user_id"], CONTACT),
    ],
)
def test_only_allowed_fields_go_out_and_what_says_which_it_is(allowed, kept):
    assert sent(encode_form({"contacts": {"add": [CONTACT]}}).decode(), allowed) == kept


def test_only_allowed_events_go_out():
    body = encode_form({"contacts": {"add": [CONTACT]}}).decode()
    subscriber = subscription(1, "add_contact")
    assert planned(body, subscriber, config=limited(allowed_events=["add_lead"])).deliveries == []
    assert len(planned(body, subscriber, config=limited(allowed_events=["add_contact"])).deliveries) == 1


def test_of_a_note_its_place_stays():
    note = {"note": {"id": "5", "element_id": "7", "element_type": "1", "text": "call +79161234567"}, "type": "contact"}
    (delivery,) = planned(
        encode_form({"contacts": {"note": [note]}}).decode(),
        subscription(1, "note_contact"),
        config=limited(allowed_fields=["note.element_type"]),
    ).deliveries
    (event,) = decode_receipt(receipt(delivery.content.decode()))[1]
    assert (event.entity_id, "text" in event.data["note"]) == ("7", False)
    assert event.data["note"]["element_type"] == "1"
