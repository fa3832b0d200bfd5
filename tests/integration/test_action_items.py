"""What is in flight, or no delivery at all, among the items of a bulk action: told once each, nothing done twice."""

import pytest
from msgspec.structs import replace

from relay.cli.display.actions import describe_result
from relay.model import DeliveryState, Outcome
from relay.operations import action_work
from relay.operations.action_work import ActionWork
from relay.operations.actions import ActionKind, ActionRequest, read_action, read_touched, start_action
from relay.operations.search import EventFilter
from relay.store.acts import Author
from relay.store.requests import sink_claim_request
from tests.integration.action_runs import no_account, work_off
from tests.integration.small_relay import LEASE_MS
from tests.integration.store.shapes import settlement

ANNA = Author(by="anna", why="a wrong price")
CONFIG = """
sources:
  acme: {type: amocrm, token: a-token-of-sixteen}
sinks:
  %s: {type: http, idempotency: honoured, url: "http://books.test/"}
routes:
  - {name: invoices, on: add_lead, to: %s, body: {title: "{{ lead.name }}"}}
"""


class Acting:
    """Three pending deliveries, the first of them in flight, and an action over all."""

    def __init__(self, relay) -> None:
        self.relay, self.run, self.store = relay, relay.run, relay.store
        relay.configure(CONFIG % ("books", "books"))
        (first,) = relay.accept_leads(1)
        (self.leased,) = self.claim(1)
        self.ids = [one.id for one in relay.deliveries(first, *relay.accept_leads(2, 3))]

    def claim(self, most: int) -> list:
        return self.run(self.store.claim_deliveries(sink_claim_request("books", "w", most, LEASE_MS, 0, []))).items

    def start(self, kind: ActionKind, to: str = "") -> str:
        request = ActionRequest(kind=kind, filter=EventFilter(since=1), to=to)
        return self.run(start_action(self.store, self.relay.reader, request, ANNA)).id

    def step(self, id: str) -> None:
        """Do all of it twice: the worker that did it first was killed before it said so."""
        (before,) = self.run(self.store.actions.read([id]))
        for _ in range(2):
            self.run(ActionWork(self.store, self.relay.config, no_account).step(before))
            self.run(self.store.client.hset(self.store.keys.action(id), "cursor", ""))
        work_off(self.run, self.store, self.relay.config)

    def results(self, id: str) -> dict[str, int]:
        """Return what came of how many items. Each is listed once."""
        items = self.run(read_touched(self.store, self.relay.reader, id)).items
        assert len({one.id for one in items}) == len(items)
        action = self.run(read_action(self.store, id))
        assert (action.state, action.touched) == ("done", len(items))
        return dict(action.results)

    def story(self, id: str) -> list[str]:
        return [one.reason for one in self.run(self.relay.reader.story(id)) if "anna" in one.reason]

    def states(self) -> list[str]:
        return [one.state for one in self.run(self.relay.reader.deliveries(self.ids))]


@pytest.fixture
def acting(relay) -> Acting:
    return Acting(relay)


def test_one_in_flight_is_asked_to_be_cancelled_once_and_is_not_sent_again(acting):
    id = acting.start(ActionKind.CANCEL)
    acting.step(id)
    assert acting.results(id) == {"asked": 1, "done": 2}
    assert acting.states() == ["pending", "cancelled", "cancelled"]
    assert [len(acting.story(one)) for one in acting.ids] == [1, 1, 1]
    acting.run(acting.store.settle("books", [settlement(acting.leased, Outcome.RETRY)], {}))
    assert acting.states() == ["cancelled"] * 3
    assert acting.claim(9) == []


def test_one_in_flight_is_neither_made_due_nor_sent_beside_its_attempt(acting):
    for kind, results in ((ActionKind.RETRY, {"leased": 1, "due": 2}), (ActionKind.RESEND, {"pending": 3})):
        id = acting.start(kind)
        acting.step(id)
        assert acting.results(id) == results
    assert sorted(one.id for one in acting.claim(9)) == sorted(acting.ids[1:]), "the first is in flight, once"
    acting.run(acting.store.settle("books", [settlement(acting.leased, Outcome.DELIVERED)], {}))
    assert acting.states() == ["delivered", "pending", "pending"]
    assert acting.story(acting.leased.id) == []


def test_one_in_flight_is_not_moved(acting):
    acting.relay.configure(CONFIG % ("ledger", "ledger"))
    id = acting.start(ActionKind.MOVE, to="ledger")
    acting.step(id)
    assert acting.results(id) == {"leased": 1, "done": 2}
    assert [one.sink for one in acting.run(acting.relay.reader.deliveries(acting.ids))] == ["books", "ledger", "ledger"]


@pytest.mark.parametrize("kind", [ActionKind.RETRY, ActionKind.CANCEL, ActionKind.RESEND, ActionKind.RENDER])
def test_a_hook_among_the_deliveries_is_told_once_and_nothing_is_done_to_it(acting, monkeypatch, kind):
    hook = acting.leased.event_id.partition(".")[0]
    found = action_work.read_delivery_page

    async def with_a_hook(*args):
        page = await found(*args)
        return replace(page, items=[replace(page.items[0], id=hook), *page.items])

    monkeypatch.setattr(action_work, "read_delivery_page", with_a_hook)
    before = acting.run(acting.relay.reader.receipts([hook]))
    id = acting.start(kind)
    acting.step(id)
    assert acting.results(id)["another kind"] == 1
    assert describe_result(kind, "another kind") == "left alone: no delivery but a hook or an event"
    assert acting.run(acting.relay.reader.receipts([hook]))[0].state == before[0].state
    states = {ActionKind.CANCEL: DeliveryState.CANCELLED}
    assert acting.states()[1:] == [states.get(kind, DeliveryState.PENDING)] * 2
