"""Stored hooks are routed again by today's configuration: what succeeded is left alone unless it is forced."""

import json

import pytest

from relay.amocrm.form import encode_form
from relay.model import DeliveryState, Outcome
from relay.operations.actions import read_action
from relay.store.acts import Author
from tests.integration.action_runs import work_off
from tests.integration.store.shapes import hook, new, routed

SOURCES = "sources:\n  acme: {type: amocrm, token: a-token-of-sixteen}\n"
BOOKS = '  books: {type: http, idempotency: honoured, url: "http://books.test/"}\n'
LEDGER = '  ledger: {type: http, idempotency: honoured, url: "http://ledger.test/"}\n'


def configure(relay, *routes: str) -> None:
    """Configure both sinks and these routes."""
    lines = "".join(f"  - {{{route}}}\n" for route in routes)
    relay.configure(f"{SOURCES}sinks:\n{BOOKS}{LEDGER}routes:{' []' if not routes else ''}\n{lines}")


def route(
    name: str, on: str = "add_lead", to: str = "books", title: str = "{{ lead.name }}", once: bool = False
) -> str:
    key = 'once: "{{ lead.id }}", ' if once else ""
    return f'name: {name}, on: {on}, {key}to: {to}, body: {{title: "{title}"}}'


def replay(relay, *arguments: str) -> str:
    """Run the command, and let a worker do what it has started; return what it printed."""
    code, printed = relay.command("replay", *arguments)
    assert code == 0, printed
    work_off(relay.run, relay.store, relay.config)
    return printed


def counts(relay, *arguments: str) -> dict[str, dict[str, int]]:
    """Return how many deliveries would be made, and were, by what becomes of them."""
    found = json.loads(replay(relay, "--json", *arguments))
    done = found["action"] and relay.run(read_action(relay.store, found["action"]["id"])).results
    return {"planned": found["preview"]["results"], "done": done}


def test_what_no_route_matched_is_delivered_once_there_is_a_route(relay):
    """The complaint of all systems like this: a replay is impossible, because no delivery was ever created."""
    configure(relay)
    receipts = relay.accept_leads(7, 8)
    assert relay.states(receipts) == ["unrouted"] * 2
    configure(relay, route("invoices"))
    assert counts(relay, "--state", "unrouted", "--dry-run") == {"planned": {"new": 2}, "done": None}
    assert relay.deliveries(*receipts) == []
    assert counts(relay, "--state", "unrouted") == {"planned": {"new": 2}, "done": {"new": 2}}
    assert relay.states(receipts) == ["routed"] * 2
    assert len(relay.settle(Outcome.DELIVERED, "books")) == 2
    assert relay.command("audit")[1].count("start replay") == 1


def test_a_span_through_changed_routes_delivers_twice_only_what_is_new(relay):
    configure(relay, route("invoices"))
    receipts = relay.accept_leads(1, 2, 3)
    relay.settle(Outcome.DELIVERED, "books")
    configure(relay, route("invoices"), route("entries", to="ledger"))
    dry = replay(relay, "--since", "1h", "--dry-run")
    assert "3 deliveries are new" in dry
    assert "3 deliveries are delivered already: left alone" in dry
    assert dry.endswith("nothing was written: --dry-run\n")
    assert counts(relay, "--since", "1h")["done"] == {"new": 3, "delivered": 3}
    assert counts(relay, "--since", "1h")["done"] == {"pending": 3, "delivered": 3}
    assert (len(relay.settle(Outcome.DELIVERED, "books")), len(relay.settle(Outcome.DELIVERED, "ledger"))) == (0, 3)
    assert counts(relay, "--since", "1h")["done"] == {"delivered": 6}
    assert len(relay.deliveries(*receipts)) == 6


def test_only_a_route_or_a_sink_is_meant(relay):
    configure(relay)
    receipts = relay.accept_leads(1)
    configure(relay, route("invoices"), route("entries", to="ledger"))
    replay(relay, "--since", "1h", "--route", "entries")
    assert [one.route for one in relay.deliveries(*receipts)] == ["entries"]
    replay(relay, "--since", "1h", "--sink", "books")
    assert sorted(one.route for one in relay.deliveries(*receipts)) == ["entries", "invoices"]


def test_one_event_of_a_hook_is_replayed_alone(relay):
    configure(relay)
    leads = [{"id": str(id), "name": f"lead {id}"} for id in (1, 2)]
    (receipt,) = relay.accept(encode_form({"leads": {"add": leads}}))
    configure(relay, route("invoices"))
    replay(relay, f"{receipt}.1")
    assert [one.event_id for one in relay.deliveries(receipt)] == [f"{receipt}.1"]
    (stored,) = relay.run(relay.reader.receipts([receipt]))
    assert [event.state for event in stored.events] == ["unrouted", "routed"]
    replay(relay, receipt)
    assert len(relay.deliveries(receipt)) == 2


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.SKIPPED])
def test_what_ended_without_success_is_made_anew(relay, outcome):
    configure(relay, route("invoices", title="wrong"))
    relay.accept_leads(1)
    (before,) = relay.settle(outcome, "books")
    configure(relay, route("invoices"))
    assert counts(relay, "--since", "1h")["done"] == {"again": 1}
    (again,) = relay.settle(Outcome.DELIVERED, "books")
    assert (again.id, again.key, b"lead 1" in again.content) == (before.id, f"{before.id}-1", True)


def test_what_died_for_want_of_a_value_is_made_when_the_route_is_mended(relay):
    configure(relay, route("invoices", title="{{ lead.custom['none'] }}"))
    relay.accept_leads(1)
    assert counts(relay, "--since", "1h")["done"] == {"unsendable": 1}
    configure(relay, route("invoices"))
    assert counts(relay, "--since", "1h")["done"] == {"again": 1}


def test_what_is_held_or_cancelled_is_left_to_people(relay):
    configure(relay, route("invoices"))
    relay.accept_leads(1, 2)
    _, other = relay.settle(Outcome.UNKNOWN, "books")
    relay.command("deliveries", "cancel", other.id)
    assert counts(relay, "--since", "1h")["done"] == {"held": 1, "cancelled": 1}
    assert relay.settle(Outcome.DELIVERED, "books") == []


def test_forced_it_delivers_once_more_under_a_new_key(relay):
    configure(relay, route("invoices"))
    relay.accept_leads(1)
    (first,) = relay.settle(Outcome.DELIVERED, "books")
    assert counts(relay, "--since", "1h", "--force")["done"] == {"again": 1}
    (second,) = relay.settle(Outcome.DELIVERED, "books")
    assert (second.id, second.key) == (first.id, f"{first.id}-1")


def test_a_once_key_is_used_once_however_often_it_is_replayed(relay):
    configure(relay, route("invoices", once=True))
    receipts = relay.accept_leads(1, 1)
    relay.settle(Outcome.DELIVERED, "books")
    for _ in range(2):
        replay(relay, "--since", "1h")
        assert relay.settle(Outcome.DELIVERED, "books") == []
    assert len({one.id for one in relay.deliveries(*receipts)}) == 1


def test_a_hook_that_could_not_be_read_is_read_again(run, relay, store):
    """As after an update that mends the decoder: what it was is not known any more, and it is found and delivered."""
    configure(relay, route("invoices"))
    body = encode_form({"leads": {"add": [{"id": "2", "name": "lead 2"}]}})
    for id, state in (("m1", "malformed"), ("q1", "quarantined"), ("u1", "refused")):
        run(store.accept([hook(id, body + id.encode())]))
        (taken,) = run(store.claim_receipts("router", 9, 60_000)).items
        run(store.save_routed("router", [routed(taken, events=[], state=state, reason="not read", remarks=["odd"])]))
    assert relay.states(["m1", "q1", "u1"]) == ["malformed", "quarantined", "refused"]
    for state in ("malformed", "quarantined", "refused"):
        assert counts(relay, "--state", state)["done"] == {"new": 1}
    assert relay.states(["m1", "q1", "u1"]) == ["routed"] * 3
    assert len(relay.settle(Outcome.DELIVERED, "books")) == 3
    assert len(relay.command("events", "list", "--state", "malformed")[1].splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nothing"], "1 not there: retention or an erasure has removed them"),
        (["--state", "malformed"], "0 hook(s) found: nothing to replay"),
        (["--source", "nobody"], "0 hook(s) found: nothing to replay"),
    ],
)
def test_what_there_is_not_is_said_so(relay, arguments, line):
    configure(relay, route("invoices"))
    assert line in replay(relay, *arguments)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "say which: their ids, or --all with"),
        (["--route", "invoice"], "the configuration has no invoice, did you mean invoices?"),
        (["--sink", "book"], "the configuration has no book, did you mean books?"),
    ],
)
def test_a_command_that_means_nothing_or_everything_is_refused(relay, monkeypatch, arguments, line):
    monkeypatch.setenv("COLUMNS", "200")
    configure(relay, route("invoices"))
    code, printed = relay.command("replay", *arguments)
    assert (code, line in printed) == (2, True), printed


def test_what_is_not_routed_yet_is_left_to_a_worker(run, relay, store):
    configure(relay, route("invoices"))
    run(store.accept([hook("waits", b"leads[add][0][id]=1")]))
    assert "1 not routed yet" in replay(relay, "waits")
    relay.route()


def test_two_people_at_once_make_nothing_twice(run, relay, store):
    configure(relay)
    (receipt,) = relay.accept_leads(1)
    part = routed(run(relay.reader.raw_receipt(receipt)), new("d1", receipt))
    answers = [run(store.acts.replay(part, Author(by=by))) for by in ("anna", "boris")]
    assert [(answer.code, answer.made) for answer in answers] == [("done", 1), ("done", 0)]
    assert [one.state for one in relay.deliveries(receipt)] == [DeliveryState.PENDING]


def test_a_look_up_is_waited_for_as_ever(relay):
    relay.configure(f"{SOURCES}sinks:\n{BOOKS}routes: []\n")
    (receipt,) = relay.accept_leads(1)
    api = SOURCES.replace("sixteen}", "sixteen, account: {subdomain: acme}, api: {token: a-long-lived-token}}")
    fetching = 'name: invoices, on: add_lead, fetch: [contacts], to: books, body: {who: "{{ contact.name }}"}'
    relay.configure(f"{api}sinks:\n{BOOKS}routes:\n  - {{{fetching}}}\n")
    replay(relay, "--since", "1h")
    (delivery,) = relay.deliveries(receipt)
    assert (delivery.state, delivery.needs_lookup) == (DeliveryState.PENDING, True)
