"""The relay's own facts are events: what happens to deliveries and sinks, routed as amoCRM's are."""

import json

import msgspec
import pytest

from relay.amocrm.form import encode_form
from relay.errors import StoreUnavailable
from relay.facts.body import decode_fact
from relay.model import Outcome
from relay.operations.diagnosis import Diagnosis
from relay.operations.problem_facts import problem_facts
from relay.sinks.sms.content import Message
from relay.sinks.sms.rules import SendingRules
from relay.store.acts import Author
from relay.store.connect import connect
from relay.store.keys import sink_queue
from relay.store.minutes import read_totals
from relay.store.problems import ProblemNotes
from relay.store.shared_state import SharedState
from relay.store.store import Store
from tests.integration.store.shapes import hook, settlement
from tests.integration.test_erasures import SECRET, Erased

SOURCES = "sources: {acme: {type: amocrm, token: a-token-of-sixteen, timezone: Europe/Moscow}}"
SINKS = """
sinks:
  books: {type: http, idempotency: honoured, url: "https://books.example.com"}
  chat: {type: http, idempotency: honoured, url: "https://chat.example.com"}
  spare: {type: http, idempotency: honoured, url: "https://spare.example.com"}
"""
INVOICES = '  - {name: invoices, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}'
ALERTS = """
  - name: alerts
    on: [delivery_dead, delivery_held, sink_closed, sink_opened]
    to: chat
    path: /alerts
    body: {text: "{{ fact.text }}", title: "{{ fact.title }}", count: "{{ fact.count }}", sink: "{{ sink.name }}"}
"""


def yaml_of(*routes: str, more: str = "") -> str:
    return "\n".join([SOURCES, SINKS, more, "routes:", INVOICES, *routes])


@pytest.fixture
def alerts(relay):
    """Route what the relay tells of itself, and return the bodies of the alerts that wait for a sink, in order."""

    def read(sink: str = "chat") -> list[dict]:
        relay.route()
        ids = relay.run(relay.store.client.zrange(relay.store.keys.pending(sink), 0, -1))
        found = relay.run(relay.reader.deliveries([id.decode() for id in ids]))
        contents = relay.run(relay.reader.contents(found))
        return [json.loads(contents[one.content_id].partition(b"\n")[2]) for one in found]

    return read


def end_windows(relay) -> int:
    """Let the windows of facts that are alike end, as five minutes do. Returns how many facts were told."""

    async def end() -> int:
        client, key = relay.store.client, relay.store.keys.fact_groups
        for group, row in (await client.hgetall(key)).items():
            _, *rest = msgspec.msgpack.decode(row)
            await client.hset(key, group, msgspec.msgpack.encode([1, *rest]))
        return await relay.store.end_fact_groups()

    return relay.run(end())


def facts_in_store(relay) -> int:
    """Return how many facts have been written."""
    return sum(n for name, n in relay.run(relay.reader.counters()).items() if name == ("receipt", "_relay", "accepted"))


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        (Outcome.REJECTED, "books: a delivery was given up"),
        (Outcome.UNKNOWN, "books: a delivery is held, a person must decide"),
    ],
)
def test_a_delivery_that_ends_badly_is_told_once(relay, alerts, outcome, title):
    relay.configure(yaml_of(ALERTS))
    relay.accept_leads(7)
    (delivery,) = relay.settle(outcome, "books")
    relay.run(relay.store.settle("books", [settlement(delivery, outcome)], {}))  # the answer was lost
    (told,) = alerts()
    text = f"{title}\ninvoices: so it was\n/admin/deliveries/{delivery.id}"
    assert told == {"text": text, "title": title, "count": "1", "sink": "books"}


def test_what_no_route_asks_for_is_not_written(relay):
    relay.configure(yaml_of())
    relay.accept_leads(7)
    relay.settle(Outcome.REJECTED, "books")
    assert facts_in_store(relay) == 0


def test_a_storm_of_one_cause_is_told_at_once_and_then_with_its_number(relay, alerts):
    relay.configure(yaml_of(ALERTS))
    relay.accept_leads(*range(1, 41))
    while relay.settle(Outcome.REJECTED, "books"):
        pass
    assert [one["count"] for one in alerts()] == ["1"]
    assert end_windows(relay) == 1
    assert [one["title"] for one in alerts()][1:] == ["books: 39 deliveries were given up"]
    assert end_windows(relay) == 0  # nothing came in the next window
    relay.accept_leads(41)
    relay.settle(Outcome.REJECTED, "books")
    assert [one["count"] for one in alerts()] == ["1", "39", "1"]


def test_a_route_may_ask_for_each(relay, alerts):
    each = ALERTS.replace("alerts\n", "each\n").replace("to: chat", "to: spare\n    each: true")
    relay.configure(yaml_of(ALERTS, each))
    relay.accept_leads(1, 2, 3)
    relay.settle(Outcome.REJECTED, "books")
    assert [one["count"] for one in alerts("spare")] == ["1", "1", "1"]
    assert [one["count"] for one in alerts()] == ["1"]


def test_facts_are_told_in_russian(relay, alerts):
    relay.configure(yaml_of(ALERTS, more="facts: {language: ru, pages: 'https://relay.example.com/'}"))
    relay.accept_leads(1, 2, 3)
    relay.settle(Outcome.REJECTED, "books")
    end_windows(relay)
    first, second = alerts()
    assert first["title"] == "books: доставка прекращена"
    assert first["text"].splitlines()[-1].startswith("https://relay.example.com/admin/deliveries/")
    assert second["title"] == "books: прекращено доставок: 2"


def test_people_in_what_a_sink_answered_are_masked(relay, alerts):
    relay.configure(yaml_of(ALERTS))
    relay.accept_leads(1)
    (delivery,) = relay.run(relay.store.claim_deliveries(relay.claim_of("books"))).items
    said = settlement(delivery, Outcome.REJECTED, reason="400: no customer anna@example.com, +79161234567")
    relay.run(relay.store.settle("books", [said], {}))
    (told,) = alerts()
    assert "anna@example.com" not in told["text"]
    assert "9161234567" not in told["text"]
    assert "400: no customer a***@example.com" in told["text"]


def test_the_alert_that_dies_is_told_elsewhere_once_and_never_to_its_own_sink(relay, alerts):
    relay.configure(yaml_of(ALERTS, ALERTS.replace("alerts\n", "more alerts\n").replace("to: chat", "to: spare")))
    relay.accept_leads(7)
    relay.settle(Outcome.REJECTED, "books")
    assert (len(alerts("chat")), len(alerts("spare"))) == (1, 1)
    relay.settle(Outcome.REJECTED, "chat")
    assert alerts("chat") == []
    assert [one["sink"] for one in alerts("spare")] == ["books", "chat"]
    relay.settle(Outcome.REJECTED, "spare")  # of these one is about an alert: what becomes of that is not told
    assert [one["sink"] for one in alerts("chat")] == ["spare"]
    assert alerts("spare") == []
    before = facts_in_store(relay)
    relay.settle(Outcome.REJECTED, "chat")
    assert (facts_in_store(relay), alerts("chat"), alerts("spare")) == (before, [], [])


def test_what_dies_when_it_is_routed_is_told(relay, alerts):
    broken = '  - {name: broken, on: add_lead, to: spare, path: /x, body: {n: "{{ lead.name | decimal }}"}}'
    relay.configure(yaml_of(broken, ALERTS))
    relay.accept_leads(7)
    assert [one["sink"] for one in alerts()] == ["spare"]


def test_a_gate_that_closes_and_opens_is_told_once_each(relay, alerts):
    relay.configure(yaml_of(ALERTS))
    relay.accept_leads(1, 2, 3)
    blocked = {"gate_ms": 60_000, "gate_sure": True}
    items = relay.run(relay.store.claim_deliveries(relay.claim_of("books"))).items
    relay.run(relay.store.settle("books", [settlement(one, Outcome.BLOCKED, **blocked) for one in items], {}))
    assert [one["title"] for one in alerts()] == ["books refuses everything, what is for it waits"]
    assert relay.command("sinks", "resume", "books", "--why", "mended", "--by", "anna")[0] == 0
    assert relay.command("sinks", "resume", "books", "--why", "mended", "--by", "anna")[0] != 0
    assert [one["title"] for one in alerts()][1:] == ["books takes deliveries again"]


@pytest.mark.parametrize("act", ["pause", "resume"])
def test_a_route_s_gate_that_opens_as_a_person_acts_in_vain_is_told(relay, alerts, act):
    """It is forgotten an hour after its time, when somebody looks at the gate."""
    relay.configure(yaml_of(ALERTS))
    relay.accept_leads(7)
    items = relay.run(relay.store.claim_deliveries(relay.claim_of("books"))).items
    wrong = [settlement(one, Outcome.BLOCKED, gate_ms=60_000, gate_scope="route") for one in items]
    relay.run(relay.store.settle("books", wrong, {}))
    store, gate = relay.store, relay.store.keys.gate(sink_queue("books"))
    if act == "pause":
        relay.run(store.acts.pause("books", Author(by="anna"), None))
    relay.run(store.client.hset(gate, "route:invoices", 1))
    done = relay.run(store.acts.pause("books", Author(by="anna"), None) if act == "pause" else
                     store.acts.resume("books", Author(by="anna")))  # fmt: skip
    assert not done[0]
    assert relay.run(store.client.hexists(gate, "route:invoices")) == 0
    assert [one["title"] for one in alerts()][-1] == "books takes deliveries of the route invoices again"


def test_a_gate_of_the_alerts_own_sink_is_not_told_to_it(relay, alerts):
    relay.configure(yaml_of(ALERTS))
    relay.accept_leads(1)
    relay.settle(Outcome.REJECTED, "books")
    alerts()
    (alert,) = relay.run(relay.store.claim_deliveries(relay.claim_of("chat"))).items
    relay.run(relay.store.settle("chat", [settlement(alert, Outcome.BLOCKED, gate_ms=60_000, gate_sure=True)], {}))
    assert len(alerts()) == 1
    (event,) = relay.run(relay.reader.receipts([_newest(relay)]))[0].events
    assert (event.name, event.state, event.reason) == ("sink_closed", "unrouted", "no route matched")
    explained = relay.command("explain", _newest(relay))[1]
    assert "alerts: to: the fact is about chat itself" in explained


def _newest(relay) -> str:
    (id,) = relay.run(relay.store.client.zrange(relay.store.keys.receipts, -1, -1))
    return id.decode()


def test_no_hook_is_taken_for_a_fact(relay, alerts):
    relay.configure(yaml_of(ALERTS))
    relay.accept(b"dead[delivery][0][id]=7")
    assert alerts() == []


OF_PROBLEMS = """
  - name: problems
    on: [source_silent, hook_disabled, store_nearly_full, drift, budget_reached]
    to: chat
    path: /alerts
    body: {text: "{{ fact.text }}"}
"""


def problem(kind: str, subject: str = "acme") -> Diagnosis:
    return Diagnosis(about="it", grade="bad", found="as it was found", kind=kind, subject=subject)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("source-silent", "acme is silent: by its rhythm a hook should have come"),
        ("hook-disabled", "amoCRM has switched off the hook of acme: nothing arrives"),
        ("store-nearly-full", "The store is nearly full"),
        ("store-full", "The store is full: new hooks are answered 503"),
        ("drift", "The account and the routes do not fit together any more: acme"),
    ],
)
def test_a_problem_that_opens_is_told_once(relay, alerts, kind, text):
    relay.configure(yaml_of(OF_PROBLEMS))
    notes, open = ProblemNotes(relay.store.client, relay.store.namespace), [problem(kind), problem("dead", "books")]
    for _ in range(2):
        relay.run(notes.keep([one.id for one in open], problem_facts(open)))
    assert [one["text"].splitlines()[:2] for one in alerts()] == [[text, "as it was found"]]
    relay.run(notes.keep([], {}))
    relay.run(notes.keep([one.id for one in open], problem_facts(open)))  # it is back, within five minutes
    assert end_windows(relay) == 1
    assert len(alerts()) == 2


def test_what_was_counted_goes_with_the_last_route_that_asks_for_it(relay, alerts):
    """Another route on facts that stays is told nothing of it."""
    relay.configure(yaml_of(OF_PROBLEMS))
    found = [problem("drift", f"acme/status/{id}") for id in range(5)]
    relay.run(ProblemNotes(relay.store.client, relay.store.namespace).keep([x.id for x in found], problem_facts(found)))
    client, key = relay.store.client, relay.store.keys.fact_groups
    assert relay.run(client.hlen(key)) == 1
    relay.run(relay.store.registry.add_facts({"drift": "each", "delivered|people": "each"}))
    assert relay.run(client.hlen(key)) == 0
    assert end_windows(relay) == 0


def test_what_was_changed_at_once_in_an_account_is_told_together(relay, alerts):
    relay.configure(yaml_of(OF_PROBLEMS))
    found = [problem("drift", f"acme/status/{id}") for id in range(5)]
    relay.run(ProblemNotes(relay.store.client, relay.store.namespace).keep([x.id for x in found], problem_facts(found)))
    assert len(alerts()) == 1
    end_windows(relay)
    title = "The account and the routes do not fit together any more: acme"
    assert [one["text"].splitlines()[0] for one in alerts()] == [title, f"{title} (4 times)"]


def test_a_budget_that_is_reached_is_told_once_a_day_and_never_by_its_own_sink(relay, alerts):
    relay.configure(yaml_of(OF_PROBLEMS, OF_PROBLEMS.replace("problems\n", "by books\n").replace("chat", "books")))
    shared, rules = SharedState(relay.store.client, relay.store.namespace), SendingRules(sink="books", per_day=1)
    now = relay.run(relay.reader.now()) / 1000

    def spend(id: str):
        quotas = rules.quotas(Message(id=id, phone="+79161234567", text="x", sender=""), now)
        return relay.run(shared.spend_quotas(quotas, rules.budgets(quotas)))

    assert [spend(id) is None for id in ("a", "b", "c")] == [True, False, False]
    text = "books has reached its limit, what is for it waits\n1 were sent today, the limit per_day\n/admin/sinks/books"
    assert [one["text"] for one in alerts()] == [text]
    assert alerts("books") == []


def test_a_full_store_tells_that_it_is(start_server, run):
    full = Store(connect(start_server().url, answer_seconds=10))
    run(full.registry.add_facts({"store_nearly_full": "grouped", "delivery_dead": "grouped"}))
    run(full.client.config_set("maxmemory", "512kb"))  # less than the server itself takes
    with pytest.raises(StoreUnavailable, match="memory"):
        run(full.accept([hook("r0", b"first")]))
    told = [problem("store-full", "")]
    run(ProblemNotes(full.client, full.namespace).keep([one.id for one in told], problem_facts(told)))
    (receipt,) = run(full.claim_receipts("router", 10, 60_000)).items
    assert decode_fact(receipt)[1][0].name == "store_nearly_full"
    run(full.client.aclose())


def test_a_stored_fact_becomes_a_case_that_passes(relay, alerts, tmp_path):
    relay.configure(yaml_of(ALERTS))
    relay.accept_leads(7)
    (delivery,) = relay.run(relay.store.claim_deliveries(relay.claim_of("books"))).items
    said = settlement(delivery, Outcome.REJECTED, reason="no customer anna@example.com")
    relay.run(relay.store.settle("books", [said], {}))
    alerts()
    status, text = relay.command("events", "show", _newest(relay), "--as-case")
    assert (status, "anna@example.com" in text) == (0, False)
    (tmp_path / "cases.yaml").write_text(text + "config: relay.yaml\n")
    assert relay.command("test", "cases.yaml")[0] == 0


def test_facts_are_planned_and_replayed_as_hooks_are(relay, alerts, tmp_path):
    relay.configure(yaml_of(ALERTS))
    relay.accept_leads(7)
    relay.settle(Outcome.REJECTED, "books")
    assert len(alerts()) == 1
    (tmp_path / "new.yaml").write_text(yaml_of(ALERTS, ALERTS.replace("alerts\n", "more\n").replace("chat", "spare")))
    planned = relay.command("plan", "new.yaml", "--json")[1]
    assert json.loads(planned)["more"] == 1
    assert relay.command("replay", _newest(relay), "--yes")[0] == 0
    assert len(alerts()) == 1


def test_an_erasure_finds_people_in_what_was_reported(run, relay, alerts, monkeypatch):
    """Their address stands in what a sink answered: in the story of the delivery, and in the fact about it."""
    monkeypatch.setenv("RELAY_SECRET_KEY", SECRET)
    relay.configure(yaml_of(ALERTS))
    relay.accept(encode_form({"leads": {"add": [{"id": "7", "name": "anna@example.com"}]}}))
    (delivery,) = run(relay.store.claim_deliveries(relay.claim_of("books"))).items
    said = settlement(delivery, Outcome.REJECTED, reason="no customer anna@example.com")
    run(relay.store.settle("books", [said], {}))
    alerts()
    erased = Erased(run, relay, SECRET)
    erased.index()
    fact = _newest(relay)
    assert b"anna@example.com" in run(relay.reader.raw_receipt(fact)).body
    erased.start("--email", "anna@example.com")
    erased.work()
    assert b"anna@example.com" not in run(relay.reader.raw_receipt(fact)).body


def test_facts_are_no_hooks_of_the_charts(relay, alerts):
    relay.configure(yaml_of(ALERTS))
    relay.accept_leads(7)
    relay.settle(Outcome.REJECTED, "books")
    alerts()
    assert read_totals(relay.run(relay.reader.counters())).receipts == {"acme": 1}
