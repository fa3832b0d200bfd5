"""What waits for a look-up becomes a delivery with the buyer in it, is skipped with the reason, or waits on."""

import json
import time
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from relay.config.load import load as load_config
from relay.model import DeliveryState
from relay.planning import plan_receipt
from relay.sandbox.amocrm.access import LONG_LIVED
from relay.sandbox.amocrm.hooks import hook_body
from relay.sinks.registry import make_sinks, sink_types
from relay.store.body import digest
from relay.store.keys import account_queue
from relay.store.records import Hook
from relay.store.requests import sink_claim_request
from relay.tracing.recording import RecordingTracer
from relay.tracing.tracer import Tracer
from workers.fetcher import Fetcher
from workers.watchdog import Watchdog

CONFIG = f"""
sources:
  acme: {{type: amocrm, token: test-token, api: {{token: {LONG_LIVED}, url: "%s", rate: 100/s}}}}
sinks:
  console: {{type: log}}
routes:
  - name: buyer
    on: add_lead
    fetch: [contacts, company, responsible]
    where: {{price: {{lt: 1000}}, not: {{contact: {{name: Тест}}}}}}
    to: console
    text: "{{{{ contact.email }}}} {{{{ company.name | default('-') }}}} {{{{ responsible.name }}}}"
  - name: second
    on: add_lead
    fetch: contacts
    to: console
    text: "{{{{ contacts | map(attribute='name') | join(', ') }}}}"
"""


class Work:
    """A relay's store, its fetcher and the account."""

    def __init__(self, run, store, reader, served, client) -> None:
        self.run, self.store, self.reader, self.served = run, store, reader, served
        served.amocrm.limits.rate = 200
        self.account = served.amocrm.account
        self.live = SimpleNamespace(config=None, sinks=None)
        self.configure(CONFIG)
        self.client = client(rate=(100, 1000))
        self.trace, self.tracer = "", Tracer()

    def configure(self, text: str) -> None:
        self.live.config = load_config(text % self.served.url, file="f", environ={}, sink_types=sink_types())
        self.live.sinks = make_sinks(self.live.config)

    def route(self, *leads: dict) -> list[int]:
        """Make leads, let their hooks arrive and be routed."""
        ids = []
        for lead in leads:
            id, facts = self.account.create("leads", lead)
            content = hook_body(next(fact for fact in facts if fact.event == "add_lead"))
            hook = Hook(id=f"r{id}", source="acme", digest=digest(content), timed=True, request_id="",
                        content_type="application/x-www-form-urlencoded", user_agent="", body=content,
                        trace=self.trace)  # fmt: skip
            self.run(self.store.accept([hook]))
            ids.append(id)
        receipts = self.run(self.store.claim_receipts("router", 100, 60_000)).items
        self.run(
            self.store.save_routed("router", [plan_receipt(one, self.live.config, self.live.sinks) for one in receipts])
        )
        return ids

    def fetch(self) -> None:
        """Let a fetcher work until nothing more may be taken."""

        async def work() -> None:
            fetcher = Fetcher(
                "acme",
                self.live,
                self.store,
                lambda _: self.client,
                lambda _: None,
                "w",
                lambda: False,
                Watchdog("w", 20),
                tracer=self.tracer,
            )
            fetcher.start()
            await fetcher.finish(time.monotonic() + 60)

        self.run(work())

    def deliveries(self, lead: int):
        """Return what came of a lead, by route."""
        (receipt,) = self.run(self.reader.receipts([f"r{lead}"]))
        return {one.route: one for one in self.run(self.reader.deliveries(list(receipt.deliveries)))}

    def text(self, delivery) -> str:
        return json.loads(self.run(self.reader.content(delivery)))["text"]

    def asked(self) -> int:
        return sum(n for path, n in self.served.amocrm.api.request_counts.items() if path == "GET /api/v4/leads")


@pytest.fixture
def work(run, store, reader, served, client) -> Work:
    return Work(run, store, reader, served, client)


def test_the_buyer_is_in_what_goes_out(work):
    person = {"name": "Анна", "email": "anna@x.example"}
    (lead,) = work.route({"contacts": [person, {"name": "Пётр"}], "company": {"name": "Ромашка"}})
    assert {one.state for one in work.deliveries(lead).values()} == {DeliveryState.PENDING}
    assert work.deliveries(lead)["second"].reason == "waits for a look-up of contacts"
    assert [(one.waiting, one.in_flight) for one in work.run(work.reader.accounts())] == [(2, 0)]
    work.fetch()
    made = work.deliveries(lead)
    assert made["second"].reason == ""
    assert work.text(made["buyer"]) == "anna@x.example Ромашка Анна Смирнова"
    assert work.text(made["second"]) == "Анна, Пётр"
    claimed = work.run(work.store.claim_deliveries(sink_claim_request("console", "d", 9, 60_000, 0, [])))
    assert {one.id for one in claimed.items} == {one.id for one in made.values()}


@pytest.mark.parametrize(("answers", "result"), [(True, "pending"), (False, "throttled")])
def test_a_look_up_is_a_part_of_the_hook_s_trace_also_where_it_was_in_vain(work, answers, result):
    exporter = InMemorySpanExporter()
    work.trace, work.tracer = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", RecordingTracer({}, exporter)
    work.route({"contacts": [{"email": "anna@x.example"}]})
    if not answers:
        work.served.stop()
    work.fetch()
    work.tracer.close()
    spans = exporter.get_finished_spans()
    assert len(spans) == 2  # one for each route
    assert {(one.name, one.parent.span_id, one.status.is_ok) for one in spans} == {
        ("look up", 0x00F067AA0BA902B7, answers)
    }
    assert {one.attributes["relay.result"] for one in spans} == {result}


def test_leads_are_looked_up_once_a_minute_for_all_routes(work):
    work.route(*[{"contacts": [{"email": "a@x.example"}]} for _ in range(40)])
    work.fetch()
    assert work.asked() == 1
    work.fetch()
    assert work.asked() == 1


@pytest.mark.parametrize(
    ("lead", "reason"),
    [
        ({}, "text: lead {id} has no contact"),
        ({"contacts": [{"name": "Анна"}]}, "text: contact.email is not in this hook, nor in the account"),
        ({"contacts": [{"name": "Тест", "email": "t@x.example"}]}, "where: not did not hold"),
    ],
)
def test_a_delivery_without_the_person_it_needs_is_skipped_with_the_reason(work, lead, reason):
    (id,) = work.route(lead)
    work.fetch()
    found = work.deliveries(id)["buyer"]
    assert (found.state, found.reason) == (DeliveryState.SKIPPED, reason.format(id=id))


def test_what_the_hook_can_answer_needs_no_look_up(work):
    (id,) = work.route({"price": 5000})
    assert list(work.deliveries(id)) == ["second"]


def test_a_delivery_of_a_lead_that_does_not_exist_is_skipped(work):
    (id,) = work.route({})
    work.account.delete("leads", id)
    work.fetch()
    found = work.deliveries(id)["second"]
    assert (found.state, found.reason) == (DeliveryState.SKIPPED, f"lead {id} is not in the account")


def test_a_refused_token_closes_the_account_s_gate_and_consumes_nothing(work):
    (id,) = work.route({"contacts": [{"email": "a@x.example"}]})
    work.served.amocrm.tokens.revoke()
    work.fetch()
    found = work.deliveries(id)["buyer"]
    assert (found.state, found.attempts, found.in_flight) == (DeliveryState.PENDING, 0, False)
    assert "does not accept the token" in found.reason
    gate = work.store.keys.gate(account_queue("acme"))
    assert work.run(work.store.client.hexists(gate, "until"))

    work.served.amocrm.tokens.long_lived = True
    work.run(work.store.client.hset(gate, "until", 1))
    due = work.store.keys.due(account_queue("acme"))
    work.run(work.store.client.zadd(due, dict.fromkeys([one.id for one in work.deliveries(id).values()], 1)))
    work.fetch()
    assert work.text(work.deliveries(id)["buyer"]).startswith("a@x.example")
    assert not work.run(work.store.client.exists(gate))


def test_an_account_that_cannot_be_asked_is_asked_later(work):
    (id,) = work.route({"contacts": [{"email": "a@x.example"}]})
    work.served.stop()
    work.fetch()
    found = work.deliveries(id)["buyer"]
    assert (found.state, found.attempts) == (DeliveryState.PENDING, 0)
    assert found.due_at is not None
    assert found.due_at > work.run(work.reader.now())
    assert [one.outcome for one in work.run(work.reader.story(found.id))] == ["throttled"]


def test_a_delivery_whose_route_has_left_the_file_waits_for_it(work):
    (id,) = work.route({"contacts": [{"email": "a@x.example"}]})
    work.configure(CONFIG.replace("name: buyer", "name: another"))
    work.fetch()
    found = work.deliveries(id)
    assert found["buyer"].state is DeliveryState.PENDING
    assert "bring it back" in found["buyer"].reason
    assert [(one.waiting, one.in_flight) for one in work.run(work.reader.accounts())] == [(1, 0)]


@pytest.mark.parametrize("body", [None, b"no=events"])
def test_a_delivery_whose_hook_cannot_be_read_any_more_holds_up_no_other(work, body):
    """It was removed by hand, or comes from a backup that had a part of it."""
    lost, other = work.route(*[{"price": 500, "contacts": [{"name": "Анна", "email": "a@x.example"}]}] * 2)
    key, client = work.store.keys.body(f"r{lost}"), work.store.client
    before = work.run(client.get(key))
    work.run(client.delete(key) if body is None else client.set(key, body))
    work.fetch()
    assert work.text(work.deliveries(other)["second"]) == "Анна"
    found = work.deliveries(lost)
    assert {one.state for one in found.values()} == {"dead"}
    assert all(one.reason.startswith("its hook cannot be read any more: ") for one in found.values())
    work.run(client.set(key, before))
