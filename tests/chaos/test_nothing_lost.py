"""Whatever is killed, and whenever: what was acknowledged arrives."""

import random
from pathlib import Path

from tests.chaos.faults.on_the_store import delete_celery_lists
from tests.chaos.oracle import unexplained
from tests.chaos.relay_under_test import RelayUnderTest
from tests.chaos.traffic import Senders
from tests.e2e.harness import run_relay, stored_leads, until

HOOKS = 1000
CONFIG = """
sources:
  acme: {type: amocrm, token: test-token, account: {subdomain: acme, id: 7039099}}
sinks:
  books:
    type: http
    idempotency: honoured
    url: ${RELAY_SANDBOX_URL}/accounting
    concurrency: 16
    timeout: 2s
    retry: [200ms, 1s, 1s, 2s, 2s, 5s]
worker: {inbox_lease: 2s, lease_margin: 1s}
routes:
  - name: invoice for a won deal
    on: add_lead
    where: {status_id: 142}
    to: books
    path: /invoices
    body: {lead: "{{ lead.id }}", amount: "{{ lead.price | decimal }}"}
"""


def test_every_acknowledged_hook_arrives_though_worker_store_and_bells_are_killed(tmp_path: Path) -> None:
    chance = random.Random(20261123)
    with run_relay(tmp_path, CONFIG) as processes:
        senders = Senders(processes, range(HOOKS))
        senders.start()
        for kill in range(4):
            enough = HOOKS * (kill + 1) // 6 + chance.randrange(100)
            until(lambda enough=enough: len(senders.acknowledged) >= enough, what=f"{enough} acknowledged hooks")
            processes.kill("worker")
            delete_celery_lists(RelayUnderTest(processes))
            if kill == 2:
                processes.kill("store")
                processes.start("store")
            processes.start("worker")
        senders.join()
        assert senders.acknowledged == set(range(HOOKS))

        arrived = until(
            lambda: (seen := stored_leads(processes)).keys() >= senders.acknowledged and seen,
            seconds=90,
            what="every acknowledged lead",
        )
        doubled = {lead for lead, times in arrived.items() if times > 1}
        print(f"{HOOKS} hooks, {len(doubled)} leads arrived more than once")
        assert not unexplained(processes, doubled)
