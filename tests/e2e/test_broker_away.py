"""Celery's broker away or hanging: hooks are delivered all the same, and a worker begins, ends and joins it later."""

import socket
from pathlib import Path

from relay.embedded.server import EmbeddedStore
from relay.processes.orphan_guard import OrphanGuard
from relay.processes.ports import free_port
from tests.e2e.harness import TOKEN, HookSender, lead_hook, run_relay, stored_leads, until

CONFIG = f"""
sources:
  acme: {{type: amocrm, token: {TOKEN}}}
sinks:
  books: {{type: http, idempotency: honoured, url: "${{RELAY_SANDBOX_URL}}/accounting"}}
routes:
  - {{name: invoices, on: add_lead, to: books, path: /invoices, body: {{lead: "{{{{ lead.id }}}}"}}}}
"""


def test_a_worker_begins_and_ends_while_its_broker_hangs_and_joins_when_it_is_there(tmp_path: Path) -> None:
    port = free_port()
    hanging = socket.create_server(("127.0.0.1", port))  # it takes connections, and never answers
    with hanging, run_relay(tmp_path, CONFIG, CELERY_BROKER_URL=f"redis://127.0.0.1:{port}/0") as processes:
        sender = HookSender(processes)
        assert sender.post(lead_hook(1))[0] == 202
        until(lambda: stored_leads(processes) == {1: 1}, what="the first lead to arrive")
        log = tmp_path / "relay" / "logs" / "worker.log"
        processes.stop("worker")  # SIGTERM; it would be killed later
        assert "worker.stopped" in log.read_text()
        hanging.close()

        processes.start("worker")  # now nobody listens there
        assert sender.post(lead_hook(2))[0] == 202
        until(lambda: stored_leads(processes) == {1: 1, 2: 1}, what="the second lead to arrive")
        until(lambda: "broker.away" in processes.log("worker"), what="the worker to notice")

        broker, guard = EmbeddedStore(tmp_path / "broker", "--port", str(port)), OrphanGuard()
        broker.start()
        guard.watch(broker.pid)
        try:
            until(lambda: "broker.back" in processes.log("worker"), what="Celery to join")
            assert sender.post(lead_hook(3))[0] == 202
            until(lambda: stored_leads(processes) == {1: 1, 2: 1, 3: 1}, what="the third lead to arrive")
        finally:
            sender.close()
            guard.close()
            broker.stop()
