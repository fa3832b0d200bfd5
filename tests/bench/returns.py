"""Returns: how long until everything has arrived, once what was killed or refused is back. Default leases."""

import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from relay.processes.supervisor import Processes
from tests.chaos.oracle import read_received
from tests.e2e.harness import HookSender, inject_fault, lead_hook, request_json, run_relay, until

PER_SECOND = 100
SENDERS = 4
STEADY_SECONDS = 5.0  # before anything happens
CONFIG = """
sources:
  acme: {type: amocrm, token: test-token, account: {subdomain: acme, id: 7039099}}
sinks:
  books: {type: http, url: "${RELAY_SANDBOX_URL}/accounting", idempotency: honoured}
routes:
  - {name: invoices, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}
"""


def bench(rounds: int) -> dict[str, object]:
    """Return the seconds of each round, by what happened."""
    return {name: [_round(happen) for _ in range(rounds)] for name, happen in WHAT.items()}


def _kill_worker(processes: Processes) -> None:
    processes.kill("worker")
    time.sleep(1)
    processes.start("worker")


def _kill_store(processes: Processes) -> None:
    processes.kill("store")
    time.sleep(3)
    processes.start("store")


def _refuse(processes: Processes) -> None:
    inject_fault(processes, fault="status", status=503, times=-1)
    time.sleep(30)
    request_json(f"{processes.sandbox_url}/__sandbox__/faults", method="DELETE")


WHAT: Mapping[str, Callable[[Processes], None]] = {
    "the only worker killed, another started a second later": _kill_worker,
    "the store killed, and back after three seconds": _kill_store,
    "the destination refused for thirty seconds": _refuse,
}


class _Traffic:
    """So many hooks a second, each repeated until it is acknowledged."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(SENDERS)]
        self.acknowledged: set[int] = set()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _send(self, place: int) -> None:
        sender, began = HookSender(self._processes), time.monotonic()
        for count in range(1_000_000):
            if self._ended.wait(max(began + count * SENDERS / PER_SECOND - time.monotonic(), 0)):
                break
            lead = 1 + place + count * SENDERS
            sender.post_until_taken(lead_hook(lead))
            self.acknowledged.add(lead)
        sender.close()


def _round(happen: Callable[[Processes], None]) -> float:
    with tempfile.TemporaryDirectory(prefix="returns-") as folder, run_relay(Path(folder), CONFIG) as processes:
        traffic = _Traffic(processes)
        traffic.start()
        time.sleep(STEADY_SECONDS)
        happen(processes)
        back = time.time()
        traffic.stop()
        leads = traffic.acknowledged
        until(lambda: len(read_received(processes, leads).requests) == len(leads), what="every hook to arrive")
        return round(max(read_received(processes, leads).last_at / 1000 - back, 0), 1)
