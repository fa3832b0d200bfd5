"""`relay plan` of routes on `delivered`: by what arrived and was answered, compared with a plain count of it all."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from relay.config.config import Config
from relay.config.load import load
from relay.model import Outcome, Receipt
from relay.operations import route_plan
from relay.operations.route_plan import PlannedSpan, plan_routes
from relay.planning import plan_receipt
from relay.sinks.registry import make_sinks, sink_types
from tests.integration.test_chains import settled
from tests.integration.test_plan import lead, summary_of

HEAD = """\
sources: {acme: {type: amocrm, token: a-token-of-sixteen}}
sinks:
  books: {type: http, idempotency: honoured, url: "http://books.test/"}
  ledger: {type: http, idempotency: honoured, url: "http://ledger.test/"}
routes:
"""
INVOICE = '  - {name: invoice, on: status_lead, to: books, body: {a: "{{ lead.price }}"}}\n'
SOME = INVOICE.replace("to: books", "where: {price: {gt: 5}}, to: books")
AGAIN = INVOICE.replace("name: invoice", "name: again")
NUMBER = """\
  - {name: number, on: delivered, where: {route: invoice}, to: ledger,
     body: {n: "{{ answer.json.n }}", d: "{{ delivery.sink }}"}}
"""
ODD = NUMBER.replace("route: invoice", "route: invoice, answer: {json: {n: [1, 3]}}, lead: {price: {gt: 3}}")
OTHER = NUMBER.replace("{n:", "{event: '{{ delivery.event }} {{ delivery.entity_id }} {{ answer.status }}', n:")
ONCE = NUMBER.replace("to: ledger", 'once: "{{ lead.id }}", to: ledger')
OF_AGAIN = NUMBER.replace("route: invoice", "route: [invoice, again]")
TOLD = (
    '  - {name: told, on: delivered, where: {route: number}, to: books, body: {t: "{{ lead.id }} {{ answer.id }}"}}\n'
)
FIRST = [INVOICE, SOME]
FOLLOWING = ["", NUMBER, ODD, OTHER]


@pytest.fixture
def arrive(relay):
    """Let what is due of both sinks come to outcomes, until nothing more follows; some of it stays."""

    def work(chance: random.Random | None = None) -> None:
        for _ in range(4):
            for sink in ("books", "ledger"):
                for one in relay.run(relay.store.claim_deliveries(relay.claim_of(sink))).items:
                    outcome = Outcome.DELIVERED if chance is None else chance.choice(OUTCOMES)
                    if outcome is None:
                        continue
                    answer = json.dumps({"n": chance.randint(1, 4) if chance else 1})
                    done = settled(one, outcome, response=answer, provider_id=f"p{one.id[:2]}")
                    relay.run(relay.store.settle(sink, [done], {}))
            relay.route()

    return work


OUTCOMES = [*[Outcome.DELIVERED] * 5, Outcome.REJECTED, Outcome.UNKNOWN, None]


def config_of(routes: str) -> Config:
    return load(HEAD + routes, file="new.yaml", environ={}, sink_types=sink_types())


class Counted:
    """What a configuration sends of hooks, one after the other, and of what arrived because of them."""

    def __init__(self, relay, config: Config) -> None:
        self._relay, self._config, self._sinks = relay, config, make_sinks(config)
        self.sent: dict[tuple[str, str, str], bytes] = {}
        self.unknown: Counter[str] = Counter()

    def add(self, hook: Receipt, lead_id: str) -> None:
        for made in plan_receipt(hook, self._config, self._sinks).deliveries:
            self.sent[made.event_id, made.route, made.sink] = made.content
            followers = [route.name for route in self._config.routes if made.route in route.follows]
            stored = self._relay.run(self._relay.reader.deliveries([made.id]))
            if followers and (not stored or stored[0].state in ("pending", "held")):
                self.unknown.update(followers)
            elif followers and stored[0].state == "delivered":
                self._follow(self._fact(hook, made, lead_id), made.event_id)

    def _follow(self, fact: Receipt, event: str) -> None:
        for made in plan_receipt(fact, self._config, self._sinks).deliveries:
            self.sent[event, made.route, made.sink] = made.content

    def _fact(self, hook: Receipt, made, lead_id: str) -> Receipt:
        attempt = self._relay.run(self._relay.reader.story(made.id))[-1]
        views = {
            "delivery": {"route": made.route, "sink": made.sink, "event": "status_lead", "entity_id": lead_id},
            "answer": {"status": str(attempt.status), "text": attempt.response, "id": attempt.provider_id},
            "fact": {"kind": "delivered", "each": "0"},
        }
        return Receipt(
            id=f"fact-{made.id}", source="_relay", received_at=1, body=json.dumps(views).encode(),
            original_id=made.event_id, original=hook,
        )  # fmt: skip


@pytest.mark.parametrize("seed", range(10))
def test_the_difference_is_that_of_a_plain_count(relay, arrive, run, seed, monkeypatch):
    chance = random.Random(seed)
    monkeypatch.setattr(route_plan, "PAGE", 7)
    in_force = chance.choice(FIRST) + chance.choice(FOLLOWING)
    relay.configure(HEAD + in_force)
    leads = [str(chance.randint(1, 9)) for _ in range(25)]
    ids = relay.accept(*[lead(int(one), price=chance.randint(0, 9)) for one in leads])
    arrive(chance)
    sides = [config_of(chance.choice(FIRST) + chance.choice(FOLLOWING)) for _ in range(2)]
    planned = run(plan_routes(relay.reader, *sides, PlannedSpan()))
    raw = run(relay.reader.raw_receipts(ids))
    counted = []
    for side in sides:
        counted.append(Counted(relay, side))
        for id, of_lead in zip(ids, leads, strict=True):
            counted[-1].add(raw[id], of_lead)
    old, new = (one.sent for one in counted)
    more, fewer = (Counter(place[1] for place in a.keys() - b.keys()) for a, b in ((new, old), (old, new)))
    changed = Counter(place[1] for place in new.keys() & old.keys() if new[place] != old[place])
    each = [Counter(place[1] for place in side) for side in (old, new)]
    names = {route.name for side in sides for route in side.routes}
    assert summary_of(planned) == {n: (each[0][n], each[1][n], more[n], fewer[n], changed[n]) for n in names}
    unanswered = {one.route: (one.before.unanswered, one.after.unanswered) for one in planned.routes}
    assert unanswered == {n: (counted[0].unknown[n], counted[1].unknown[n]) for n in names}


def plan(relay, new: str, *arguments: str) -> dict:
    Path("new.yaml").write_text(HEAD + new)
    status, printed = relay.command("plan", "new.yaml", "--json", *arguments)
    assert status == 0, printed
    return {one["route"]: one for one in json.loads(printed)["routes"]}


def test_a_new_follower_has_the_answers_that_are_stored(relay, arrive):
    relay.configure(HEAD + INVOICE)
    (receipt,) = relay.accept(lead(1))
    arrive()
    number = plan(relay, INVOICE + NUMBER)["number"]
    assert (number["more"], number["after"]["unanswered"]) == (1, 0)
    assert number["more_of"] == [f"{receipt}.0"]


@pytest.mark.parametrize("packed", [False, True])
def test_what_followed_is_as_before(relay, arrive, run, packed):
    relay.configure(HEAD + INVOICE + NUMBER + TOLD)
    relay.accept(lead(1), lead(2))
    arrive()
    if packed:

        async def pack() -> None:
            await relay.store.packing.pack_next(await relay.reader.now() + 1, 100, after_ms=0)

        run(pack())
    for arguments in ([], ["--source", "acme"]):
        found = plan(relay, INVOICE + NUMBER + TOLD, *arguments)
        assert {name: (one["before"]["sent"], one["more"], one["fewer"]) for name, one in found.items()} == {
            "invoice": (2, 0, 0), "number": (2, 0, 0), "told": (2, 0, 0),
        }  # fmt: skip


def test_what_is_sent_no_more_is_followed_no_more(relay, arrive):
    relay.configure(HEAD + INVOICE + NUMBER + TOLD)
    relay.accept(lead(1, price=1), lead(2, price=9))
    arrive()
    found = plan(relay, SOME + NUMBER + TOLD)
    assert {name: one["fewer"] for name, one in found.items()} == {"invoice": 1, "number": 1, "told": 1}


def test_what_nobody_knows_is_said(relay, arrive):
    """What a vendor would answer to a new route, and what follows that in turn."""
    relay.configure(HEAD + INVOICE)
    relay.accept(lead(1), lead(2))
    arrive()
    found = plan(relay, INVOICE + AGAIN + OF_AGAIN + TOLD)
    assert (found["number"]["more"], found["number"]["after"]["unanswered"]) == (2, 2)
    assert (found["told"]["more"], found["told"]["after"]["unanswered"]) == (0, 2)
    _, printed = relay.command("plan", "new.yaml")
    assert "not known: it follows deliveries of which no answer is stored: 0 before, 2 after" in printed


def test_once_prevents_what_follows_too(relay, arrive):
    relay.configure(HEAD + INVOICE)
    relay.accept(lead(1), lead(1, price=7))
    arrive()
    number = plan(relay, INVOICE + ONCE)["number"]
    assert (number["more"], number["after"]["prevented"]) == (1, 1)


def test_a_fact_whose_hook_is_not_planned_is_told_as_it_is(relay, arrive):
    relay.configure(HEAD + INVOICE + NUMBER)
    relay.accept(lead(1))
    arrive()
    found = plan(relay, SOME.replace("gt: 5", "gt: 99") + NUMBER, "--last", "1")
    assert (found["number"]["before"]["sent"], found["number"]["fewer"]) == (1, 0)
