"""The relays to which it is done: with what lies around them, and what was done that the oracle must know."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from relay.embedded.server import EmbeddedStore
from relay.processes.orphan_guard import OrphanGuard
from relay.processes.supervisor import Processes
from tests.clusters import Cluster, run_cluster
from tests.e2e.harness import run_relay
from tests.sentinels import SentinelGroup, sentinel_group
from tests.store_front import StoreFront, store_front

CONFIG = """
sources:
  acme: {type: amocrm, token: test-token, account: {subdomain: acme, id: 7039099}}
sinks:
  books:
    type: http
    url: ${RELAY_SANDBOX_URL}/accounting
    idempotency: honoured
    rate: 200/s  # so that much is unsettled when the fault begins
    timeout: 2s
    max_age: 1d
    retry: &pauses [
      200ms, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s]
  texts:
    type: smsru
    url: ${RELAY_SANDBOX_URL}/smsru
    api_id: any
    rate: 50/s
    timeout: 2s
    retry: *pauses
worker: {inbox_lease: 2s, lease_margin: 1s}
routes:
  - {name: invoices, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}
  - name: texts
    on: add_lead
    where: {price: {gt: 1000}}
    once: "{{ lead.id }}"
    to: texts
    phone: "+791{{ lead.id }}"
    text: "Deal {{ lead.id }}"
"""
SINKS = ("books", "texts")
_CLOCK_FOLDER = Path(__file__).parent / "clock"
_DISK_MEGABYTES = 96


@dataclass
class RelayUnderTest:
    """A relay, and what a fault has in hand."""

    processes: Processes
    broker: EmbeddedStore | None = None
    front: StoreFront | None = None
    sentinels: SentinelGroup | None = None
    cluster: Cluster | None = None
    clock: Path | None = None  # how far the relay's clock is ahead, in seconds
    disk: Path | None = None  # of the store, a small one
    acted_on: set[str] = field(default_factory=set)  # deliveries, by people
    failed_over: bool = False  # the last moments of what the store had confirmed may be lost, but hooks and marks

    @property
    def replicated(self) -> SentinelGroup | Cluster:
        """The store, of which a replica takes over."""
        found = self.sentinels or self.cluster
        assert found is not None
        return found

    @property
    def url(self) -> str:
        """The store's address."""
        return self.processes.environ["REDIS_URL"]


Setting: TypeAlias = Callable[[Path], AbstractContextManager[RelayUnderTest]]


@contextmanager
def plain(folder: Path) -> Iterator[RelayUnderTest]:
    """Run a relay with its own store."""
    with run_relay(folder, CONFIG) as processes:
        yield RelayUnderTest(processes)


@contextmanager
def behind_a_network(folder: Path) -> Iterator[RelayUnderTest]:
    """Run a relay whose store and broker are behind a front."""
    with (
        _server(folder / "far") as store,
        store_front(store.socket) as front,
        run_relay(folder, CONFIG, REDIS_URL=front.url) as processes,
    ):
        yield RelayUnderTest(processes, front=front)


@contextmanager
def with_a_broker(folder: Path) -> Iterator[RelayUnderTest]:
    """Run a relay whose broker is a server of its own."""
    with (
        _server(folder / "bells", "--appendonly", "no") as broker,
        run_relay(folder, CONFIG, CELERY_BROKER_URL=broker.url) as processes,
    ):
        yield RelayUnderTest(processes, broker=broker)


@contextmanager
def with_sentinels(folder: Path) -> Iterator[RelayUnderTest]:
    """Run a relay whose store has a replica and Sentinels."""
    with sentinel_group(folder / "group") as group, run_relay(folder, CONFIG, REDIS_URL=group.url) as processes:
        yield RelayUnderTest(processes, sentinels=group)


@contextmanager
def on_a_cluster(folder: Path) -> Iterator[RelayUnderTest]:
    """Run a relay whose store is a slot of a cluster: three primaries, a replica of each."""
    with (
        _server(folder / "bells", "--appendonly", "no") as broker,
        run_cluster(folder / "cluster") as cluster,
        run_relay(folder, CONFIG, REDIS_URL=cluster.url, CELERY_BROKER_URL=broker.url) as processes,
    ):
        yield RelayUnderTest(processes, cluster=cluster)


@contextmanager
def with_a_clock(folder: Path) -> Iterator[RelayUnderTest]:
    """Run a relay whose own clock can be moved."""
    clock = folder / "clock"
    clock.write_text("0")
    path = os.pathsep.join([str(_CLOCK_FOLDER), os.getcwd()])
    with run_relay(folder, CONFIG, PYTHONPATH=path, CHAOS_CLOCK=str(clock)) as processes:
        yield RelayUnderTest(processes, clock=clock)


@contextmanager
def on_a_small_disk(folder: Path) -> Iterator[RelayUnderTest]:
    """Run a relay whose store syncs every second, to a disk that can be filled. Wants root, who may mount one."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_MEGABYTES}m", "tmpfs", str(disk)], check=True)
    try:
        with (
            _server(disk / "store", "--appendfsync", "everysec", "--auto-aof-rewrite-min-size", "8mb") as store,
            run_relay(folder, CONFIG, REDIS_URL=store.url, RELAY_WAITAOF="1") as processes,
        ):
            yield RelayUnderTest(processes, disk=disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@contextmanager
def _server(folder: Path, *options: str) -> Iterator[EmbeddedStore]:
    server, guard = EmbeddedStore(folder, *options), OrphanGuard()
    server.start()
    guard.watch(server.pid)
    try:
        yield server
    finally:
        server.stop()
        guard.close()
