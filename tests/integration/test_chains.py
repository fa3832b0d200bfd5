"""A route on `delivered` follows another one: with the event that began it, and what the sink answered."""

import json
import zlib

import pytest

from relay.cli.display.story import format_story
from relay.model import Outcome
from relay.operations.explanation import explain_receipt
from relay.operations.story import read_delivery_story, read_event_story
from relay.store.acts import Act, Author
from tests.integration.scripted_sink import ScriptedSink, SingleSinkConfig, drain, queue_deliveries
from tests.integration.store.shapes import attempt, end_leases, settlement

YAML = """
sources: {acme: {type: amocrm, token: a-token-of-sixteen, timezone: Europe/Moscow}}
sinks:
  books: {type: http, idempotency: honoured, url: "https://books.example.com"}
  chat: {type: http, idempotency: honoured, url: "https://chat.example.com"}
routes:
  - {name: invoice, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}
  - {name: other, on: add_lead, to: chat, path: /others, body: {lead: "{{ lead.id }}"}}
  - name: number
    on: delivered
    where: {route: invoice}
    to: chat
    path: /numbers
    body: {lead: "{{ lead.id }}", number: "{{ answer.json.number | default(answer.id) }}", by: "{{ delivery.route }}"}
  - {name: told, on: delivered, where: {route: number}, to: books, path: /told, body: {lead: "{{ lead.name }}"}}
"""
ANSWER = {"status": 201, "response": '{"number": 17, "ok": true}', "provider_id": "inv-17"}
ANNA = Author(by="anna")


def settled(delivery, outcome=Outcome.DELIVERED, **answer):
    """Settle an attempt as a drainer does whose configuration has followers."""
    one = settlement(delivery, outcome)
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    return type(one)(**fields | {"attempt": attempt(outcome, **{**ANSWER, **answer}), "is_followed": True})


@pytest.fixture
def chain(relay):
    relay.configure(YAML)
    return relay


def claim(relay, sink: str):
    (delivery,) = relay.run(relay.store.claim_deliveries(relay.claim_of(sink))).items
    return delivery


def deliver(relay, sink: str, **answer):
    """Let the one delivery of a sink arrive, and route what follows."""
    delivery = claim(relay, sink)
    relay.run(relay.store.settle(sink, [settled(delivery, **answer)], {}))
    relay.route()
    return delivery


def contents(relay, sink: str) -> list[dict]:
    ids = relay.run(relay.store.client.zrange(relay.store.keys.pending(sink), 0, -1))
    found = relay.run(relay.reader.deliveries([id.decode() for id in ids]))
    bodies = relay.run(relay.reader.contents(found))
    return [json.loads(bodies[one.content_id].partition(b"\n")[2]) for one in found]


def begin(relay, lead: int = 7) -> None:
    """Accept a lead, and let the delivery of the route that nobody follows arrive."""
    relay.accept_leads(lead)
    deliver(relay, "chat")
    assert contents(relay, "chat") == []


def test_what_follows_has_the_event_and_the_answer(chain):
    begin(chain)
    deliver(chain, "books")
    assert contents(chain, "chat") == [{"lead": "7", "number": "17", "by": "invoice"}]
    deliver(chain, "chat")
    assert contents(chain, "books") == [{"lead": "lead 7"}]  # the event that all of it began with


def test_an_answer_that_is_no_whole_json_is_a_text(chain):
    begin(chain)
    deliver(chain, "books", response='{"number": 17, "it')
    assert contents(chain, "chat") == [{"lead": "7", "number": "inv-17", "by": "invoice"}]


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.UNKNOWN, Outcome.SKIPPED, Outcome.RETRY])
def test_nothing_follows_what_did_not_arrive(chain, outcome):
    begin(chain)
    one = claim(chain, "books")
    chain.run(chain.store.settle("books", [settled(one, outcome)], {}))
    chain.route()
    assert contents(chain, "chat") == []


def test_a_settle_that_is_said_twice_makes_one(chain):
    begin(chain)
    one = claim(chain, "books")
    for _ in range(2):
        chain.run(chain.store.settle("books", [settled(one)], {}))
    chain.run(chain.store.settle("books", [settled(one, worker="another")], {}))
    chain.route()
    assert len(contents(chain, "chat")) == 1


def test_a_late_answer_is_followed_too(chain):
    """Of a worker whose lease ran out; while a newer attempt is out, when that ends."""
    begin(chain)
    first = claim(chain, "books")
    chain.run(end_leases(chain.store, "sink:books"))
    second = claim(chain, "books")
    chain.run(chain.store.settle("books", [settled(first)], {}))
    assert contents(chain, "chat") == []
    chain.run(chain.store.settle("books", [settled(second, Outcome.RETRY)], {}))
    chain.route()
    assert contents(chain, "chat") == [{"lead": "7", "number": "17", "by": "invoice"}]


def test_what_a_person_confirms_is_followed_without_an_answer(chain):
    begin(chain)
    one = claim(chain, "books")
    chain.run(chain.store.settle("books", [settled(one, Outcome.UNKNOWN)], {}))
    chain.run(chain.store.acts.act_on_delivery(one.id, Act.CONFIRM, ANNA))
    chain.route()
    assert contents(chain, "chat") == [{"lead": "7", "number": "", "by": "invoice"}]


def test_nothing_is_written_where_no_route_follows(relay, spent):
    def cost(text: str, followed: bool) -> int:
        relay.configure(text)
        relay.accept_leads(9)
        one = claim(relay, "books")
        item = settled(one) if followed else settlement(one, Outcome.DELIVERED)
        spent()
        relay.run(relay.store.settle("books", [item], {}))
        return spent()[1]

    alone = YAML.partition("  - name: number")[0]
    cost(alone, followed=False)  # the server gets to know the script
    assert cost(alone, followed=True) <= cost(alone, followed=False) + 2  # by its worker's older configuration
    relay.route()
    assert [one for one in relay.run(relay.reader.counters()) if "_relay" in one] == []


def test_a_chain_ends_after_five(chain):
    """Though its routes never let it end: the store has been told otherwise, as by a release that does not check."""
    begin(chain)
    key = chain.store.keys.receipt
    one = claim(chain, "books")
    receipt = one.event_id.partition(".")[0]
    chain.run(chain.store.client.hset(key(receipt), "chained", 5))
    chain.run(chain.store.settle("books", [settled(one)], {}))
    chain.route()
    assert contents(chain, "chat") == []
    story = chain.run(read_delivery_story(chain.reader, one.id))
    assert "led to nothing more" in "\n".join(format_story(story))


def test_stories_lead_both_ways(chain):
    begin(chain)
    invoice = deliver(chain, "books")
    found = chain.run(read_delivery_story(chain.reader, invoice.id))
    led_to = found.deliveries[0].delivery.led_to
    assert f"led to event {led_to}" in "\n".join(format_story(found))
    after = chain.run(read_event_story(chain.reader, led_to))
    assert after.receipt.made_by == invoice.id
    assert f"made by delivery {invoice.id}" in "\n".join(format_story(after))
    assert [one.delivery.route for one in after.deliveries] == ["number"]


def test_it_is_explained_from_both_ends(chain):
    begin(chain)
    invoice = deliver(chain, "books")
    found = chain.run(read_delivery_story(chain.reader, invoice.id))
    first = chain.run(chain.reader.raw_receipt(found.receipt.id))
    before = {one.sink: one.leads_to for one in explain_receipt(first, chain.config, None).deliveries}
    assert before == {"books": ["number"], "chat": ()}
    after = chain.run(chain.reader.raw_receipt(found.deliveries[0].delivery.led_to.removesuffix(".0")))
    explained = explain_receipt(after, chain.config, None)
    assert [route.route for event in explained.events for route in event.routes if route.matched] == ["number"]


@pytest.mark.parametrize(
    ("where", "failure"),
    [
        ("lead: {name: lead 7}, answer: {status: 201, json: {number: {gt: 16}}}, delivery: {sink: books}", ""),
        ("any: [{lead: {name: other}}, {answer: {id: {matches: '^inv'}}}]", ""),
        ("lead: {name: [other, more]}", 'lead name in ["other", "more"]: saw "lead 7"'),
        ("lead: {price: {gt: 5}}", "lead price gt 5: not in the hook"),
        ("answer: {status: 200}", 'answer status eq 200: saw "201"'),
        ("answer: {json: {number: {gt: 17}}}", 'answer json "number" gt 17: saw "17"'),
        ("answer: {json: {order.total: {gt: 17}}}", 'answer json "order.total" gt 17: not in the answer'),
        ("delivery: {reason: {contains: late}}", 'delivery reason contains "late": saw'),
    ],
)
def test_where_reads_the_event_and_the_answer_and_is_explained(chain, where, failure):
    chain.configure(YAML.replace("where: {route: invoice}", f"where: {{route: invoice, {where}}}"))
    begin(chain)
    invoice = deliver(chain, "books")
    assert len(contents(chain, "chat")) == (failure == "")
    led_to = chain.run(chain.reader.deliveries([invoice.id]))[0].led_to.removesuffix(".0")
    explained = explain_receipt(chain.run(chain.reader.raw_receipt(led_to)), chain.config, None)
    (found,) = [route for event in explained.events for route in event.routes if route.route == "number"]
    assert found.because.startswith(failure)
    assert found.matched is (failure == "")


def test_a_list_in_an_answer_has_the_values_of_all_its_items(chain):
    where = "answer: {json: {items.id: 5, items.1.name: b, items.name: {in: [a, z]}}}"
    chain.configure(YAML.replace("where: {route: invoice}", f"where: {{route: invoice, {where}}}"))
    begin(chain)
    deliver(chain, "books", response='{"items": [{"id": 4, "name": "a"}, {"id": 5, "name": "b"}]}')
    assert len(contents(chain, "chat")) == 1


def test_a_replay_finds_what_followed(chain):
    begin(chain)
    invoice = deliver(chain, "books")
    found = chain.run(read_delivery_story(chain.reader, invoice.id))
    chain.route_again(found.deliveries[0].delivery.led_to.removesuffix(".0"))
    assert len(contents(chain, "chat")) == 1


def test_a_hook_that_is_compressed_is_read(chain):
    """The body of a hook that is routed may be compressed by the store's worker."""
    begin(chain)
    one = claim(chain, "books")
    receipt, client, keys = one.event_id.partition(".")[0], chain.store.client, chain.store.keys
    body = chain.run(client.get(keys.body(receipt)))
    chain.run(client.set(keys.body(receipt), zlib.compress(body)))
    chain.run(client.hset(keys.receipt(receipt), "z", 1))
    chain.run(chain.store.settle("books", [settled(one)], {}))
    chain.route()
    assert contents(chain, "chat") == [{"lead": "7", "number": "17", "by": "invoice"}]


@pytest.mark.parametrize("followed", [True, False])
def test_a_drainer_knows_by_its_configuration_what_is_followed(run, store, namespace, reader, monkeypatch, followed):
    followers = {"invoices": ["number"]} if followed else {}
    monkeypatch.setattr(SingleSinkConfig.config, "followers", followers)
    run(store.registry.add_facts({"delivered|invoices": "each"}))
    queue_deliveries(run, store, [b"{}"])
    run(drain(store, namespace, ScriptedSink(sends=[Outcome.DELIVERED])))
    (found,) = run(reader.deliveries(["d00000"]))
    assert (found.state, bool(found.led_to)) == ("delivered", followed)


def test_a_delivery_that_is_delivered_twice_is_told_once(chain):
    """The id follows from the delivery alone."""
    begin(chain)
    first = deliver(chain, "books")
    led_to = chain.run(chain.reader.deliveries([first.id]))[0].led_to
    chain.run(chain.store.client.hset(chain.store.keys.delivery(first.id), "state", "held"))
    chain.run(chain.store.client.hincrby(chain.store.keys.receipt(first.event_id.partition(".")[0]), "open", 1))
    chain.run(chain.store.acts.act_on_delivery(first.id, Act.CONFIRM, ANNA))
    chain.route()
    assert chain.run(chain.reader.deliveries([first.id]))[0].led_to == led_to
    assert len(contents(chain, "chat")) == 1
