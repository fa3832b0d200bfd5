"""A route with `shadow: true` makes deliveries and keeps them; none leaves, by whatever a person does."""

from relay.amocrm.form import encode_form
from relay.amocrm.people import People
from relay.config.load import load
from relay.model import Delivery, DeliveryState, Outcome
from relay.planning.lookups import complete_lookup, pending_lookups
from relay.routing import delivery_id, is_shadow_id, once_id
from relay.sinks.registry import make_sinks, sink_types

HEAD = """\
sources: {acme: {type: amocrm, token: a-token-of-sixteen, account: {subdomain: acme}, api: {token: b-token-of-ours}}}
sinks: {books: {type: http, idempotency: honoured, url: "http://books.test/"}}
routes:
"""
SHADOW = (
    '  - {name: bill, on: add_lead, shadow: true, once: "{{ lead.id }}", to: books, body: {name: "{{ lead.name }}"}}\n'
)
LIVE = SHADOW.replace("shadow: true, ", "")
FETCHING = (
    "  - {name: buyer, on: add_lead, shadow: true, fetch: contacts, to: books, body: {mail: '{{ contact.email }}'}}\n"
)


def test_what_a_shadow_route_makes_is_kept_and_never_sent(relay, run):
    relay.configure(HEAD + SHADOW)
    receipts = relay.accept_leads(1, 2)
    assert relay.states(receipts) == ["routed"] * 2
    made = relay.deliveries(*receipts)
    assert [(one.state, one.reason) for one in made] == [("shadowed", "its route is only tried out")] * 2
    assert run(relay.reader.content(made[0])).endswith(b'{"name":"lead 1"}')
    assert relay.settle(Outcome.DELIVERED, "books") == []
    shown = relay.command("deliveries", "list", "--state", "shadowed")[1]
    assert [one.id in shown for one in made] == [True, True]


def test_nobody_can_resend_what_is_shadowed(relay):
    relay.configure(HEAD + SHADOW)
    (made,) = relay.deliveries(*relay.accept_leads(1))
    for act in (("resend", made.id), ("resend", "--render", made.id)):
        status, printed = relay.command("deliveries", *act)
        assert (status, "shadowed" in printed) == (1, True)
    assert "shadowed: their route is only tried out" in relay.command("replay", made.event_id, "--yes", "--force")[1]
    assert relay.settle(Outcome.DELIVERED, "books") == []


def test_a_route_that_goes_live_begins_anew(relay):
    """No key of `once` was used in the shadow, and a replay delivers what was shadowed."""
    relay.configure(HEAD + SHADOW)
    (receipt,) = relay.accept_leads(1)
    relay.configure(HEAD + LIVE)
    relay.accept_leads(1)
    assert len(relay.settle(Outcome.DELIVERED, "books")) == 1
    status, printed = relay.command("replay", receipt, "--yes")
    assert (status, "another event has used their `once` key" in printed) == (0, True)
    relay.configure(HEAD + LIVE.replace('once: "{{ lead.id }}", ', ""))
    assert relay.command("replay", receipt, "--yes")[0] == 0
    assert len(relay.settle(Outcome.DELIVERED, "books")) == 1


def test_once_counts_among_what_is_shadowed(relay):
    relay.configure(HEAD + SHADOW)
    assert [one.state for one in relay.deliveries(*relay.accept_leads(1))] == ["shadowed"]
    (second,) = relay.accept(encode_form({"leads": {"add": [{"id": "1", "name": "again"}]}}))
    (again,) = relay.deliveries(second)
    assert again.event_id != f"{second}.0"


def test_what_could_not_be_sent_says_what_would_become_of_it(relay):
    relay.configure(HEAD + SHADOW.replace("lead.name", "lead.price"))
    (made,) = relay.deliveries(*relay.accept_leads(1))
    assert (made.state, made.reason) == ("shadowed", "it would be dead: body.name: lead.price is not in this hook")
    assert relay.command("dead", "list", "--json")[1] == "[]\n"


def test_a_look_up_is_answered_and_ends_in_the_shadow_even_if_its_route_is_live_by_then(relay, run):
    relay.configure(HEAD + FETCHING)
    (receipt,) = relay.accept_leads(1)
    (waiting,) = relay.deliveries(receipt)
    assert (waiting.state, waiting.needs_lookup, is_shadow_id(waiting.id)) == ("pending", True, True)
    live = load(HEAD + FETCHING.replace("shadow: true, ", ""), file="x", environ={}, sink_types=sink_types())
    held = Delivery(
        id=waiting.id, event_id=waiting.event_id, source="acme", route="buyer", sink="books", content=b"",
        accepted_at=1, created_at=1, attempts=0, deaths=0, token="t", sending=False,
    )  # fmt: skip
    raw = run(relay.reader.raw_receipts([receipt]))
    ((lookup,), _, _) = pending_lookups([held], raw, live, make_sinks(live))
    email = {"code": "EMAIL", "values": [{"value": "anna@example.com"}]}
    done = complete_lookup(lookup, People(contact={"id": "1", "custom_fields": [email]}))
    assert (done.state, done.content.endswith(b'{"mail":"anna@example.com"}')) == (DeliveryState.SHADOWED, True)
    assert complete_lookup(lookup, None).reason == "it would be skipped: lead 1 is not in the account"


def test_ids_tell_a_shadow_from_everything_else():
    live, shadow = (delivery_id("r.0", "bill", "books", shadow=shadow) for shadow in (False, True))
    assert (is_shadow_id(live), is_shadow_id(shadow)) == (False, True)
    assert is_shadow_id(once_id("acme", "bill", "7", "books", shadow=True))
    assert live[:28] == shadow[:28]
