"""`relay plan`: what another configuration would have done with stored hooks, compared with a plain count of it all."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from relay.amocrm.form import encode_form
from relay.config.config import Config
from relay.config.load import load
from relay.model import DeliveryState, Outcome, Receipt
from relay.operations import route_plan
from relay.operations.route_plan import PlannedSpan, RoutePlan, plan_routes
from relay.planning import plan_receipt
from relay.sinks.registry import make_sinks, sink_types
from tests.integration.store.shapes import hook

HEAD = """\
sources: {acme: {type: amocrm, token: a-token-of-sixteen, ignore_users: [5]}}
sinks:
  books: {type: http, idempotency: honoured, url: "http://books.test/"}
  ledger: {type: http, idempotency: honoured, url: "http://ledger.test/"}
  sms: {type: smsc, apikey: a-key-of-ours, segment_price: 4.50}
tables: {managers: {1: "+79160000001"}}
routes:
"""
INVOICE = (
    '  - {name: invoice, on: status_lead, where: {status_id: 142}, %sto: books, body: {amount: "{{ lead.price }}"}}\n'
)
ONCE = 'once: "{{ lead.id }}", '
TEXT = """\
  - {name: text, on: status_lead, where: {status_id: {ne: 142}}, to: sms, text: "%s",
     phone: "{{ lead.responsible_user_id | lookup('managers') }}"}
"""
PLAIN = INVOICE % ""


def lead(id: int, **fields: object) -> bytes:
    values = {"id": id, "status_id": 142, "price": 10, **fields}
    return encode_form({"leads": {"status": [{key: str(value) for key, value in values.items()}]}})


def plan(relay, new: str, *arguments: str, code: int = 0) -> dict:
    """Run the command for a file with these routes; return what it printed for programs."""
    Path("new.yaml").write_text(HEAD + new)
    status, printed = relay.command("plan", "new.yaml", "--json", *arguments)
    assert status == code, printed
    return json.loads(printed.partition("\n}\n")[0] + "}")


def route_of(planned: dict, name: str) -> dict:
    (found,) = [one for one in planned["routes"] if one["route"] == name]
    return found


@pytest.fixture
def now(relay):
    """Put the head and some routes in force."""
    return lambda routes: relay.configure(HEAD + routes)


def test_deliveries_more_and_fewer_are_told_by_route(relay, now):
    now(PLAIN)
    receipts = relay.accept(lead(1), lead(2, price=5), lead(3, status_id=1), lead(4, modified_user_id=5))
    new = PLAIN.replace("status_id: 142", "price: {gte: 10}")
    planned = plan(relay, new)
    assert (planned["hooks"], planned["events"]) == (4, 4)
    assert (planned["more"], planned["fewer"], planned["changed"]) == (1, 1, 0)
    invoice = route_of(planned, "invoice")
    assert (invoice["before"]["sent"], invoice["after"]["sent"]) == (2, 2)
    assert (invoice["more_of"], invoice["fewer_of"]) == ([f"{receipts[2]}.0"], [f"{receipts[1]}.0"])


def test_a_content_that_changed_is_shown(relay, now):
    now(PLAIN)
    (receipt,) = relay.accept(lead(1))
    invoice = route_of(plan(relay, PLAIN.replace("lead.price }}", "lead.price | decimal }}")), "invoice")
    assert (invoice["more"], invoice["fewer"], invoice["changed"]) == (0, 0, 1)
    assert invoice["changed_of"] == [f"{receipt}.0"]
    assert [(one["place"], one["expected"], one["actual"]) for one in invoice["differences"]] == [
        ("content.body.amount", "10", "10.00")
    ]
    Path("new.yaml").write_text(HEAD + PLAIN.replace("lead.price }}", "lead.price | decimal }}"))
    printed = relay.command("plan", "new.yaml")[1]
    assert '  content.body.amount: "10" before, "10.00" after\n' in printed
    assert printed.endswith("deliveries: 0 more, 0 fewer, 1 with another content; 0 route(s) as before\n")


def test_segments_of_texts_have_their_price(relay, now):
    now(TEXT % "short")
    relay.accept(lead(1, status_id=1, responsible_user_id=1), lead(2, status_id=1, responsible_user_id=9))
    text = route_of(plan(relay, TEXT % ("Ж" * 71)), "text")
    assert [(text[side]["segments"], text[side]["price"]) for side in ("before", "after")] == [(1, "4.50"), (2, "9.00")]
    assert [(text[side]["sent"], text[side]["skipped"]) for side in ("before", "after")] == [(1, 1), (1, 1)]


def test_second_invoices_are_told_and_what_once_prevents(relay, now):
    now(PLAIN)
    relay.accept(lead(1), lead(1, price=11), lead(2))
    invoice = route_of(plan(relay, INVOICE % ONCE), "invoice")
    assert (invoice["before"]["second"], invoice["before"]["prevented"]) == (1, 0)
    assert (invoice["after"]["second"], invoice["after"]["prevented"]) == (0, 1)
    assert (invoice["more"], invoice["fewer"]) == (0, 1)


def test_once_keys_that_were_used_before_the_span_prevent_too(relay, now, run):
    now(INVOICE % ONCE)
    relay.accept(lead(1))
    relay.settle(Outcome.DELIVERED, "books")
    time = run(relay.reader.now()) + 1
    run_until(relay, time)
    relay.accept(lead(1, price=11), lead(2))
    with_other = INVOICE % ONCE + PLAIN.replace("name: invoice", "name: again")
    planned = run(plan_routes(relay.reader, relay.config, config_of(with_other), PlannedSpan(since=time)))
    sent = {one.route: (one.before.sent, one.after.sent, one.after.prevented, one.more) for one in planned.routes}
    assert sent == {"invoice": (1, 1, 1, 0), "again": (0, 2, 0, 2)}


def test_once_keys_of_packed_hooks_of_the_span_prevent_nothing(relay, now, run):
    now(INVOICE % ONCE)
    relay.accept(lead(1), lead(1, price=11), lead(2))
    relay.settle(Outcome.DELIVERED, "books")
    as_stored = plan(relay, INVOICE % ONCE)

    async def pack_all() -> int:
        await relay.store.packing.pack_next(await relay.reader.now() + 1, 100, after_ms=0)
        return await relay.store.client.zcard(relay.store.keys.finished_packed)

    assert run(pack_all()) == 3
    assert plan(relay, INVOICE % ONCE) == as_stored
    renamed = plan(relay, (INVOICE % ONCE).replace("name: invoice", "name: bill"))
    assert (renamed["more"], renamed["fewer"]) == (2, 2)


def run_until(relay, time: int) -> None:
    """Wait until the store's clock has passed a time."""
    while relay.run(relay.reader.now()) < time:
        pass


def test_a_renamed_route_forgets_its_once_keys_and_the_plan_says_so(relay, now):
    now(INVOICE % ONCE)
    relay.accept(lead(1), lead(2))
    relay.settle(Outcome.DELIVERED, "books")
    renamed = plan(relay, (INVOICE % ONCE).replace("name: invoice", "name: bill"))
    bill = route_of(renamed, "bill")
    assert (bill["more"], bill["replaces"], bill["replaced"]) == (2, "invoice", 2)
    assert (route_of(renamed, "invoice")["fewer"], renamed["more"]) == (2, 2)


def test_max_extra_is_a_gate_for_ci(relay, now):
    now("  []\n")
    relay.accept(lead(1), lead(2))
    Path("new.yaml").write_text(HEAD + PLAIN)
    assert relay.command("plan", "new.yaml", "--max-extra", "2")[0] == 0
    status, printed = relay.command("plan", "new.yaml", "--max-extra", "1")
    assert (status, printed) == (1, "2 deliveries more than before, and --max-extra allows 1")
    assert plan(relay, PLAIN, "--last", "1")["more"] == 1


def test_two_files_are_compared_with_each_other(relay, now):
    now("  []\n")
    relay.accept(lead(1))
    Path("old.yaml").write_text(HEAD + PLAIN)
    planned = plan(relay, PLAIN, "--against", "old.yaml")
    assert (planned["more"], planned["before"]) == (0, planned["after"])


def test_what_a_plan_cannot_do_is_said_before_anything_is_read(relay, now):
    now(PLAIN)
    relay.accept(lead(1))
    Path("new.yaml").write_text(HEAD + PLAIN.replace("to: books", "to: bocks"))
    status, printed = relay.command("plan", "new.yaml")
    assert (status, printed.partition(" ")[2]) == (1, "unknown sink bocks, did you mean books?")
    assert printed.startswith("new.yaml:8:")
    status, printed = relay.command("plan", "none.yaml")
    assert (status, "none.yaml: No such file" in printed) == (1, True)
    Path("new.yaml").write_text(HEAD + PLAIN)
    assert relay.command("plan", "new.yaml", "--source", "acne")[0] == 2
    assert relay.command("plan", "new.yaml", "--since", "1m", "--until", "2020-01-01")[1] == "no stored hooks to plan\n"


def test_a_plan_writes_nothing(relay, now, run):
    now(PLAIN)
    relay.accept(lead(1))

    def dump() -> dict[bytes, bytes]:
        client = relay.store.client
        return {key: run(client.dump(key)) for key in run(client.keys("*"))}

    before = dump()
    plan(relay, INVOICE % ONCE)
    assert dump() == before


def test_hooks_that_killed_workers_are_left_out(relay, now, run):
    now(PLAIN)
    run(relay.store.accept([hook("bad", lead(1))]))
    quarantined = relay.store.keys.receipts_in("quarantined")
    run(relay.store.client.zadd(quarantined, {"bad": 1}))
    relay.accept(lead(2))
    planned = run(plan_routes(relay.reader, relay.config, relay.config, PlannedSpan()))
    assert (planned.hooks, planned.left_out) == (1, 1)
    run(relay.store.client.delete(quarantined))


def test_the_last_hooks_of_a_source_are_that_many_of_it(relay, now, run):
    now(PLAIN)
    relay.accept(lead(1))
    run(relay.store.accept([hook("elsewhere", lead(2), source="other"), hook("later", lead(3), source="other")]))
    span = PlannedSpan(last=1, source="acme")
    planned = run(plan_routes(relay.reader, relay.config, relay.config, span))
    assert (planned.hooks, planned.fewer) == (1, 0)


ROUTES = [
    PLAIN,
    INVOICE % ONCE,
    PLAIN.replace("{{ lead.price }}", "{{ lead.price | decimal }}"),
    (INVOICE % ONCE).replace("status_id: 142", "price: {gt: 5}"),
    PLAIN.replace("to: books", "to: [books, ledger]"),
    TEXT % "Lead {{ lead.id }}",
    TEXT % ("{{ lead.name }} " * 9),
    (INVOICE % 'once: "{{ lead.responsible_user_id }}", ').replace("name: invoice", "name: by manager"),
]


def config_of(routes: str) -> Config:
    return load(HEAD + routes, file="new.yaml", environ={}, sink_types=sink_types())


def counted(receipts: Sequence[Receipt], config: Config) -> dict[tuple[str, str, str], bytes]:
    """Return what a configuration sends of receipts, one after the other: (event, route, sink) -> content."""
    sinks, sent, used = make_sinks(config), {}, {}
    for receipt in receipts:
        for made in plan_receipt(receipt, config, sinks).deliveries:
            if made.once and used.get(made.id, DeliveryState.SKIPPED) != DeliveryState.SKIPPED:
                continue
            if made.once:
                used[made.id] = made.state
            if made.state == DeliveryState.PENDING:
                sent[made.event_id, made.route, made.sink] = made.content
    return sent


def expected(receipts: Sequence[Receipt], before: Config, after: Config) -> dict[str, tuple[int, ...]]:
    old, new = counted(receipts, before), counted(receipts, after)
    more = Counter(place[1] for place in new.keys() - old.keys())
    fewer = Counter(place[1] for place in old.keys() - new.keys())
    changed = Counter(place[1] for place in new.keys() & old.keys() if new[place] != old[place])
    sides = [Counter(place[1] for place in side) for side in (old, new)]
    names = {route.name for config in (before, after) for route in config.routes}
    return {name: (sides[0][name], sides[1][name], more[name], fewer[name], changed[name]) for name in names}


def summary_of(planned: RoutePlan) -> dict[str, tuple[int, ...]]:
    return {one.route: (one.before.sent, one.after.sent, one.more, one.fewer, one.changed) for one in planned.routes}


@pytest.mark.parametrize("seed", range(12))
def test_the_difference_is_that_of_a_plain_count(relay, now, run, seed, monkeypatch):
    chance = random.Random(seed)
    monkeypatch.setattr(route_plan, "PAGE", 7)
    monkeypatch.setattr(route_plan, "_IDS_AT_ONCE", 11)
    now("  []\n")
    bodies = [
        lead(chance.randint(1, 9), status_id=chance.choice([1, 142]), price=chance.choice([0, 7, 7.5]), name="Beans",
             responsible_user_id=chance.choice([1, 9]), modified_user_id=chance.choice([5, 6]))
        for _ in range(60)
    ]  # fmt: skip
    ids = relay.accept(*bodies)
    raw = run(relay.reader.raw_receipts(ids))
    sides = [config_of("".join({route.split(",")[0]: route for route in chance.sample(ROUTES, 3)}.values()))
             for _ in range(2)]  # fmt: skip
    planned = run(plan_routes(relay.reader, *sides, PlannedSpan()))
    assert summary_of(planned) == expected([raw[id] for id in ids], *sides)
    assert (planned.hooks, planned.events) == (60, 60)


def test_the_difference_over_thousands_of_events_is_that_of_a_plain_count(relay, now, run):
    chance = random.Random(20_000)
    now("  []\n")

    def some(id: int) -> dict[str, str]:
        values = {
            "id": id,
            "status_id": chance.choice([1, 142]),
            "price": chance.choice([0, 7, 7.5, 9]),
            "name": "Beans",
        }
        values |= {"responsible_user_id": chance.choice([1, 9]), "modified_user_id": chance.choice([5, 6, 6, 6])}
        return {key: str(value) for key, value in values.items()}

    hooks = [{"status": [some(chance.randint(1, 300)) for _ in range(5)]} for _ in range(400)]
    ids = relay.accept(*[encode_form({"leads": one}) for one in hooks])
    raw = run(relay.reader.raw_receipts(ids))
    ledger = '  - {name: ledger, on: status_lead, where: {price: 9}, to: ledger, body: {lead: "{{ lead.id }}"}}\n'
    sides = [config_of(routes) for routes in (
        PLAIN + ledger,
        (INVOICE % ONCE).replace("status_id: 142", "price: {gt: 7}") + ledger.replace("price: 9", "price: [0, 9]"),
    )]  # fmt: skip
    planned = run(plan_routes(relay.reader, *sides, PlannedSpan()))
    assert summary_of(planned) == expected([raw[id] for id in ids], *sides)
    assert (planned.hooks, planned.events) == (400, 2000)
    assert all(one.more or one.changed for one in planned.routes)


def test_what_goes_in_order_and_what_supersedes_is_counted(relay, now):
    now(PLAIN)
    relay.accept(lead(1), lead(1, price=5), lead(2), lead(1, price=7))
    keys = "order: \"{{ lead.id }}\", latest: '{{ lead.id }}', "
    invoice = route_of(plan(relay, INVOICE % keys), "invoice")
    assert (invoice["before"]["ordered"], invoice["before"]["newer"]) == (0, 0)
    assert (invoice["after"]["sent"], invoice["after"]["ordered"], invoice["after"]["newer"]) == (4, 4, 2)
    _, printed = relay.command("plan", "new.yaml")
    assert "in their turn, by `order`: 0 before, 4 after" in printed
