"""A store that closes what is idle, or whose address leads to another server since: hooks are taken, workers wait."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from relay.embedded.server import EmbeddedStore
from relay.processes.orphan_guard import OrphanGuard
from relay.processes.ports import free_port
from relay.processes.supervisor import Processes
from tests.e2e.harness import HookSender, lead_hook, run_relay, stored_leads, until
from tests.store_front import store_front

CONFIG = """
sources:
  acme: {type: amocrm, token: test-token}
sinks:
  books: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/accounting"}
routes:
  - {name: invoices, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}
"""


class Server:
    """A store that others may follow: it has a port too."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        # A replica is in step at once, and not only after five seconds.
        self.store = EmbeddedStore(folder, "--port", str(self.port), "--repl-diskless-sync-delay", "0", *options)
        self.store.start()
        self.client = redis.Redis(unix_socket_path=str(self.store.socket), decode_responses=True)

    def follow(self, other: "Server") -> None:
        """Become a replica of another one, and wait until it has its data."""
        self.client.replicaof("127.0.0.1", str(other.port))
        until(lambda: self.client.info("replication")["master_link_status"] == "up", what="the replica to be in step")

    def lead(self) -> None:
        """Become a master."""
        self.client.execute_command("REPLICAOF", "NO", "ONE")

    def clients(self) -> list[dict[str, Any]]:
        """List the connections that others have."""
        own = str(self.client.client_id())
        return [one for one in self.client.client_list() if one["id"] != own]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers with options of their own."""
    started: list[Server] = []
    guard = OrphanGuard()

    def start(*options: str) -> Server:
        server = Server(tmp_path / f"store-{len(started)}", *options)
        guard.watch(server.store.pid)
        started.append(server)
        return server

    yield start
    for server in started:
        server.client.close()
        server.store.stop()
    guard.close()


@pytest.fixture
def send() -> Iterator[Callable[[Processes, int], int]]:
    """Return what posts a hook once and returns the status of the answer."""
    senders: list[HookSender] = []

    def post(processes: Processes, lead: int) -> int:
        senders.append(HookSender(processes))
        return senders[-1].post(lead_hook(lead))[0]

    yield post
    for sender in senders:
        sender.close()


def lines(processes: Processes, name: str, *events: str) -> list[str]:
    """Return which of these events a process has logged, in order."""
    return re.findall(rf'"event":"({"|".join(events)})"', processes.log(name))


def test_connections_that_the_store_has_closed_cost_no_hook_and_no_bell(
    tmp_path: Path, start: Callable[..., Server], send: Callable[[Processes, int], int]
) -> None:
    server = start("--timeout", "1")
    with run_relay(tmp_path, CONFIG, REDIS_URL=f"redis://127.0.0.1:{server.port}/0") as processes:
        assert send(processes, 1) == 202
        until(lambda: stored_leads(processes) == {1: 1}, what="the first lead to arrive")
        processes.stop("worker")
        # What is left is of the web process; its monitor alone is never idle.
        until(lambda: {one["cmd"] for one in server.clients()} <= {"info", "set", "config|get"}, what="idle ones to go")
        assert send(processes, 2) == 202
        until(lambda: server.client.llen("relay:route") == 1, what="the bell to be published")
        processes.start("worker")
        until(lambda: stored_leads(processes) == {1: 1, 2: 1}, what="the second lead to arrive")
        until(lambda: any(one["cmd"] == "brpop" for one in server.clients()), what="Celery to listen")
        known = {one["id"] for one in server.clients() if one["cmd"] != "brpop"}
        until(lambda: len(known & {one["id"] for one in server.clients()}) <= 2, what="the worker's idle ones to go")
        assert send(processes, 3) == 202
        until(lambda: stored_leads(processes) == {1: 1, 2: 1, 3: 1}, what="the third lead to arrive")
        assert lines(processes, "web", "bell.failed", "store.away") == []
        assert lines(processes, "worker", "bell.failed", "broker.away", "ticker.paused") == []


def test_connections_that_are_cut_at_work_are_replaced(
    tmp_path: Path, start: Callable[..., Server], send: Callable[[Processes, int], int]
) -> None:
    server = start()
    with run_relay(tmp_path, CONFIG, REDIS_URL=f"redis://127.0.0.1:{server.port}/0") as processes:
        for lead in (1, 2, 3):
            server.client.client_kill_filter(_type="normal", skipme=True)
            assert send(processes, lead) == 202
            # What is cut a second time while it is repeated is not repeated again.
            until(lambda lead=lead: stored_leads(processes)[lead] == 1, what="the lead to arrive")
        assert lines(processes, "web", "bell.failed", "store.away") == []
        assert "Traceback" not in processes.log("worker")


def test_after_a_failover_the_old_master_is_left_and_the_worker_has_waited_with_one_line(
    tmp_path: Path, start: Callable[..., Server], send: Callable[[Processes, int], int]
) -> None:
    old, new = start(), start()
    new.follow(old)
    with store_front(old.store.socket) as front, run_relay(tmp_path, CONFIG, REDIS_URL=front.url) as processes:
        assert send(processes, 1) == 202
        until(lambda: stored_leads(processes) == {1: 1}, what="the first lead to arrive")

        new.lead()
        old.follow(new)
        assert send(processes, 2) == 503
        until(lambda: lines(processes, "worker", "broker.away"), what="the worker to notice")
        until(lambda: lines(processes, "worker", "ticker.paused"), what="its ticker to notice")

        front.socket = new.store.socket
        assert send(processes, 2) == 202
        until(lambda: stored_leads(processes) == {1: 1, 2: 1}, what="the second lead to arrive")
        until(lambda: lines(processes, "worker", "broker.back"), what="Celery to be back")
        processes.check()
        assert lines(processes, "worker", "broker.away", "broker.back") == ["broker.away", "broker.back"]
        assert lines(processes, "worker", "ticker.paused") == ["ticker.paused"]
        assert "Traceback" not in processes.log("worker") + processes.log("web")


def test_a_worker_that_waits_for_a_replica_ends_when_it_is_asked_to(
    tmp_path: Path, start: Callable[..., Server]
) -> None:
    old, new = start(), start()
    with run_relay(tmp_path, CONFIG, REDIS_URL=f"redis://127.0.0.1:{old.port}/0") as processes:
        old.follow(new)
        until(lambda: lines(processes, "worker", "broker.away"), what="the worker to notice")
        processes.stop("worker")
        assert "worker.stopped" in (tmp_path / "relay" / "logs" / "worker.log").read_text()
