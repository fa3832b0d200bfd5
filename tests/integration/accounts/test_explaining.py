"""`relay explain` says which `once` keys are used, and shows the request of what an account must be asked for first."""

import json

import pytest

from relay.amocrm.form import encode_form
from relay.config.load import load as load_config
from relay.model import DeliveryState
from relay.planning import plan_receipt
from relay.sandbox.amocrm.access import LONG_LIVED
from relay.sinks.registry import make_sinks, sink_types
from tests.integration.store.shapes import hook

CONFIG = f"""
sources:
  acme: {{type: amocrm, token: test-token, api: {{token: {LONG_LIVED}, url: "%s", rate: 100/s}}}}
sinks:
  books: {{type: http, idempotency: honoured, url: "https://books.example.com"}}
routes:
  - name: invoice
    on: add_lead
    once: "{{{{ lead.name }}}}"
    to: books
    body: {{id: "{{{{ lead.id }}}}"}}
  - name: buyer
    on: add_lead
    fetch: contacts
    where: {{price: {{lt: 1000}}, not: {{contact: {{name: Тест}}}}}}
    to: books
    body: {{email: "{{{{ contact.email }}}}"}}
"""


def lead(id: int, name: str = "A", price: str = "10") -> dict[str, str]:
    return {"id": str(id), "name": name, "price": price}


def body(*leads: dict[str, str]) -> bytes:
    return encode_form({"leads": {"add": list(leads)}})


class Explainer:
    """Explains hooks in files, and stores some as a router does."""

    def __init__(self, run, store, command, served, folder) -> None:
        self._run, self._store, self._command, self._folder = run, store, command, folder
        (folder / "relay.yaml").write_text(CONFIG % served.url)
        self._config = load_config(CONFIG % served.url, file="f", environ={}, sink_types=sink_types())

    def deliveries(self, *leads: dict[str, str], route: str):
        """Explain a hook in a file; return the deliveries of a route, one of each event that matches it."""
        (self._folder / "hook.form").write_bytes(body(*leads))
        return self.of_what("hook.form", route)

    def of_what(self, what: str, route: str):
        explanation = json.loads(self._command("explain", what, "--json", "--reveal")[0])
        routes = [one for event in explanation["events"] for one in event["routes"] if one["route"] == route]
        return [delivery for one in routes for delivery in one["deliveries"]]

    def store(self, receipt: str, *leads: dict[str, str], **changes) -> str:
        """Store and route a hook; return the id of its first delivery."""
        self._run(self._store.accept([hook(receipt, body(*leads))]))
        (claimed,) = self._run(self._store.claim_receipts("router", 100, 60_000)).items
        planned = plan_receipt(claimed, self._config, make_sinks(self._config))
        self._run(self._store.save_routed("router", [planned]))
        return planned.deliveries[0].id


@pytest.fixture
def explain(run, store, command, served, tmp_path) -> Explainer:
    return Explainer(run, store, command, served, tmp_path)


class TestOnce:
    """A `once` key that is used, and by what."""

    def test_one_that_is_free_says_so(self, explain):
        (delivery,) = explain.deliveries(lead(1), route="invoice")
        assert (delivery["state"], delivery["note"]) == ("pending", "its `once` key is free")
        assert delivery["request"]["body"] == {"id": "1"}

    def test_one_that_is_used_says_by_which_delivery_and_event(self, explain):
        made = explain.store("r1", lead(1))
        (delivery,) = explain.deliveries(lead(2), route="invoice")
        assert delivery["state"] == "not made"
        assert delivery["reason"] == f"its `once` key is used by delivery {made} of event r1.0, which is pending"
        assert delivery["request"]["body"] == {"id": "2"}  # what would be sent

    def test_the_event_that_used_it_is_explained_as_it_was_made(self, explain):
        made = explain.store("r1", lead(1))
        (delivery,) = explain.of_what("r1", "invoice")
        assert delivery["state"] == "pending"
        assert delivery["note"] == f"made already: delivery {made} is pending"

    def test_one_whose_delivery_was_skipped_may_be_taken_over(self, run, store, explain):
        made = explain.store("r1", lead(1))
        before = run(store.client.hget(store.keys.delivery(made), "state"))
        run(store.client.hset(store.keys.delivery(made), "state", DeliveryState.SKIPPED))
        try:
            (delivery,) = explain.deliveries(lead(2), route="invoice")
        finally:
            run(store.client.hset(store.keys.delivery(made), "state", before))
        assert delivery["state"] == "pending"
        assert delivery["note"].endswith("which is skipped: this one takes its place")

    def test_one_of_what_retention_removed_is_used_too(self, run, store, explain):
        (before,) = explain.deliveries(lead(2), route="invoice")
        run(store.client.hset(store.keys.once(before["id"][:3]), before["id"], "delivered"))
        (delivery,) = explain.deliveries(lead(2), route="invoice")
        assert delivery["state"] == "not made"
        assert "a delivery that was delivered; retention has removed it" in delivery["reason"]

    def test_two_events_of_one_hook_use_it_once(self, explain):
        first, second, other = explain.deliveries(lead(1), lead(2), lead(3, name="B"), route="invoice")
        assert (first["state"], second["state"], other["state"]) == ("pending", "not made", "pending")
        assert second["reason"].startswith("its `once` key is used by event ")
        assert second["reason"].endswith(".0 of this hook")

    @pytest.mark.parametrize(
        ("url", "why"), [("", "REDIS_URL is not set"), ("unix:///nowhere/store.sock", "the store cannot take it")]
    )
    def test_without_a_store_it_says_that_it_is_not_known(self, explain, monkeypatch, url, why):
        monkeypatch.setenv("REDIS_URL", url)
        (delivery,) = explain.deliveries(lead(1), route="invoice")
        assert delivery["note"].startswith(f"not known whether its `once` key is used already: {why}")
        assert delivery["request"]["body"] == {"id": "1"}


class TestFetch:
    """What a route fetches is asked of the account, and the request shown as it would be sent."""

    @pytest.fixture
    def create(self, served):
        return lambda **fields: served.amocrm.account.create("leads", {"price": 10, **fields})[0]

    def test_its_request_is_shown(self, explain, create):
        id = create(contacts=[{"name": "Vera", "email": "vera@example.com"}])
        (delivery,) = explain.deliveries(lead(id), route="buyer")
        assert (delivery["state"], delivery["reason"]) == ("pending", "after the look-up")
        assert delivery["request"]["body"] == {"email": "vera@example.com"}

    def test_what_the_account_does_not_have_is_skipped_with_the_reason(self, explain, create):
        id = create(contacts=[{"name": "Тест"}])
        first, second = explain.deliveries(lead(id), lead(999), route="buyer")
        assert (first["state"], first["reason"]) == ("skipped", "where: not did not hold")
        assert (second["state"], second["reason"]) == ("skipped", "lead 999 is not in the account")

    def test_a_route_that_the_hook_alone_rules_out_asks_nothing(self, explain, monkeypatch):
        monkeypatch.setattr("relay.cli.explain.with_account", None)
        assert explain.deliveries(lead(1, price="5000"), route="buyer") == []

    def test_without_a_store_it_says_why_the_account_was_not_asked(self, explain, monkeypatch):
        monkeypatch.delenv("REDIS_URL")
        (delivery,) = explain.deliveries(lead(1), route="buyer")
        assert delivery["request"].startswith("not shown: the account was not asked: REDIS_URL is not set")

    def test_an_account_that_refuses_is_a_reason_too(self, explain, tmp_path):
        path = tmp_path / "relay.yaml"
        path.write_text(path.read_text().replace(LONG_LIVED, "a-token-of-nobody-at-all"))
        (delivery,) = explain.deliveries(lead(1), route="buyer")
        assert delivery["request"].startswith("not shown: the account was not asked: ")
        assert "401" in delivery["request"] or "token" in delivery["request"]
