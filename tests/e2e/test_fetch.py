"""Leads arrive without people; what goes out has the buyer's address, and the account is asked little."""

import json
from pathlib import Path
from typing import Any

from relay.processes.supervisor import Processes
from relay.sandbox.amocrm.access import LONG_LIVED
from tests.e2e.account_client import AccountClient
from tests.e2e.harness import run_relay, sandbox_requests, until

LEADS = 200
WON = 142


CONFIG = f"""
sources:
  acme:
    type: amocrm
    token: test-token
    account: {{subdomain: acme, id: 7039099}}
    api: {{token: {LONG_LIVED}, url: "${{RELAY_SANDBOX_URL}}/amocrm"}}
sinks:
  books: {{type: http, idempotency: honoured, url: "${{RELAY_SANDBOX_URL}}/accounting", concurrency: 16}}
worker: {{inbox_lease: 2s, lease_margin: 1s}}
routes:
  - name: invoice for a won deal
    on: [add_lead, status_lead]
    fetch: [contacts, responsible]
    where: {{status_id: {WON}, contact: {{email: {{exists: true}}}}}}
    to: books
    path: /invoices
    body: {{lead: "{{{{ lead.id }}}}", email: "{{{{ contact.email }}}}", by: "{{{{ responsible.name }}}}"}}
"""


def won(number: int) -> dict[str, Any]:
    contact = {"name": f"Покупатель {number}", "email": f"buyer{number}@x.example"}
    return {"name": f"Сделка {number}", "status_id": WON, "responsible_user_id": 102525, "contacts": [contact]}


def invoices(processes: Processes) -> dict[int, dict[str, str]]:
    """Return what arrived by lead; every body once."""
    bodies = [json.loads(seen["body"]) for seen in sandbox_requests(processes, "accounting") if seen["stored"]]
    assert len({body["lead"] for body in bodies}) == len(bodies)
    return {int(body["lead"]): body for body in bodies}


def test_a_burst_of_won_leads_becomes_invoices_with_the_buyers_addresses(tmp_path: Path) -> None:
    with run_relay(tmp_path, CONFIG) as processes:
        fake = AccountClient(processes)
        fake.connect(["add_lead", "status_lead"])
        fake.limit(rate=8)  # one more than ours: the request above was this test's
        made = fake.create("leads", [won(number) for number in range(LEADS)])
        assert {hook["status"] for hook in made["hooks"]} == {202}

        found = until(lambda: len(seen := invoices(processes)) == LEADS and seen, what="every invoice")
        assert {id: found[id]["email"] for id in made["ids"]} == {
            id: f"buyer{number}@x.example" for number, id in enumerate(made["ids"])
        }
        assert {body["by"] for body in found.values()} == {"Анна Смирнова"}
        asked = {
            path: n for path, n in fake.request_counts().items() if path.startswith("GET ") and "webhooks" not in path
        }
        print(f"{LEADS} leads, look-ups: {asked}")
        assert sum(asked.values()) <= LEADS / 4
        assert fake.state()["throttled"] == 0


def test_a_worker_killed_while_it_fetches_loses_nothing(tmp_path: Path) -> None:
    with run_relay(tmp_path, CONFIG) as processes:
        fake = AccountClient(processes)
        fake.connect(["add_lead"])
        fake.limit(rate=0)  # every look-up is refused: whoever asks is on his way for seconds
        made = fake.create("leads", [won(number) for number in range(20)])
        until(lambda: fake.request_counts().get("GET /api/v4/leads"), what="a look-up on its way")
        processes.kill("worker")
        fake.limit(rate=7)
        processes.start("worker")
        found = until(lambda: len(seen := invoices(processes)) == 20 and seen, seconds=150, what="every invoice")
        assert found.keys() == set(made["ids"])
