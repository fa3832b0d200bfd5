"""Whatever is killed, and whenever: what was acknowledged arrives."""

import asyncio
import random
import threading
from pathlib import Path

import redis

from relay.processes.supervisor import Processes
from tests.e2e.harness import HookSender, lead_hook, open_reader, run_relay, stored_leads, until

HOOKS = 2000
SENDERS = 8
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


class Senders:
    """Several connections that post until every hook is acknowledged."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(SENDERS)]
        self.acknowledged: set[int] = set()
        self.failures: list[BaseException] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        assert self.failures == []

    def _send(self, number: int) -> None:
        sender = HookSender(self._processes)
        try:
            for lead in range(number, HOOKS, SENDERS):
                sender.post_until_taken(lead_hook(lead))
                self.acknowledged.add(lead)
        except BaseException as error:
            self.failures.append(error)
            raise
        finally:
            sender.close()


def delete_celery_lists(processes: Processes) -> int:
    """Delete everything Celery keeps in the store, as if its broker had lost it all."""
    with redis.Redis.from_url(processes.environ["REDIS_URL"]) as client:
        keys = [key for key in client.scan_iter(count=1000) if not key.startswith(b"{relay}:")]
        return int(client.delete(*keys)) if keys else 0


def test_every_acknowledged_hook_arrives_though_worker_store_and_bells_are_killed(tmp_path: Path) -> None:
    chance = random.Random(20261123)
    with run_relay(tmp_path, CONFIG) as processes:
        senders = Senders(processes)
        senders.start()
        for kill in range(4):
            enough = HOOKS * (kill + 1) // 6 + chance.randrange(100)
            until(lambda enough=enough: len(senders.acknowledged) >= enough, what=f"{enough} acknowledged hooks")
            processes.kill("worker")
            delete_celery_lists(processes)
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
        assert_cut(processes, doubled)


def assert_cut(processes: Processes, doubled: set[int]) -> None:
    """Every double must be one whose first attempt was cut: its worker died, or its answer was lost."""

    async def cut() -> set[int]:
        found = set()
        with open_reader(processes) as reader:
            for lead in doubled:
                events = await reader.events_of("acme", "lead", str(lead))
                (receipt,) = await reader.receipts([events[0].partition(".")[0]])
                (delivery,) = await reader.deliveries(list(receipt.deliveries))
                if delivery.deaths or len(await reader.story(delivery.id)) > 1:
                    found.add(lead)
            await reader.client.aclose()
        return found

    assert asyncio.run(cut()) == doubled
