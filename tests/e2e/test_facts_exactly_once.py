"""What the relay reports of itself arrives exactly once for each transition, wherever its worker is killed."""

from collections import Counter
from pathlib import Path

from relay.processes.supervisor import Processes
from tests.e2e.harness import (
    HookSender,
    inject_fault,
    lead_hook,
    pause_request,
    paused_requests,
    release_requests,
    run_relay,
    sandbox_requests,
    until,
)

CONFIG = """
sources:
  acme: {type: amocrm, token: test-token, account: {subdomain: acme, id: 7039099}}
sinks:
  books: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/books", auth: {bearer: demo-books-token}}
  duty: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/books", auth: {bearer: demo-books-token}}
routes:
  - {name: invoices, on: add_lead, to: books, path: /invoices, body: {number: "{{ lead.id }}"}}
  - name: alerts
    on: delivery_dead
    each: true
    to: duty
    path: /customers
    body: {number: "{{ delivery.entity_id }}", text: "{{ fact.title }}"}
"""
LEADS = range(41_000_001, 41_000_031)


def test_each_of_many_that_die_is_reported_once_though_a_worker_is_killed(tmp_path: Path) -> None:
    with run_relay(tmp_path, CONFIG) as relay:
        inject_fault(relay, fault="status", status=422, vendor="books", path="/invoices", times=-1)
        pause_request(relay, "before-read", vendor="books", path="/invoices")
        pause_request(relay, "stored", vendor="books", path="/customers")
        sender = HookSender(relay)
        for lead in LEADS:
            sender.post_until_taken(lead_hook(lead))
        sender.close()
        paused = {("books", "/invoices", "before-read"), ("books", "/customers", "stored")}
        until(lambda: set(paused_requests(relay)) == paused, what="one of each kind of calls to be under way")
        relay.kill("worker")
        release_requests(relay)
        relay.start("worker")
        until(lambda: _received(relay).keys() == set(LEADS), what="an alert of each lead")
        assert _received(relay) == dict.fromkeys(LEADS, 1)


def _received(relay: Processes) -> Counter[int]:
    """Count the alerts that were taken for new, by the lead whose delivery they are about."""
    seen = [one for one in sandbox_requests(relay, "books") if one["path"] == "/customers"]
    new = [one["body"] for one in seen if one["stored"] and not one["repeat"]]
    return Counter(lead for lead in LEADS for body in new if str(lead) in body)
