"""`rediss://` for web, worker and Celery, end to end: a self-signed certificate is accepted where it was asked for."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from relay.config.environment import environ
from relay.embedded.server import EmbeddedStore
from relay.processes.orphan_guard import OrphanGuard
from tests.e2e.harness import HookSender, lead_hook, run_relay, stored_leads, until
from tests.e2e.tls_front import tls_front

CONFIG = """
sources:
  acme: {type: amocrm, token: test-token}
sinks:
  books: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/accounting"}
routes:
  - {name: invoices, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store, guard = EmbeddedStore(tmp_path / "store"), OrphanGuard()
    store.start()
    guard.watch(store.pid)
    yield store
    store.stop()
    guard.close()


@pytest.fixture
def front(tmp_path: Path, store: EmbeddedStore) -> Iterator[tuple[int, Path]]:
    """Put TLS before the store; yield the port, and the certificate."""
    with tls_front(tmp_path, store.socket) as found:
        yield found


def published_bells(store: EmbeddedStore) -> int:
    """Count the messages that Celery has put into its queues: nobody else uses LPUSH."""
    with redis.Redis(unix_socket_path=str(store.socket)) as client:
        return client.info("commandstats").get("cmdstat_lpush", {}).get("calls", 0)


def waiting_bells(store: EmbeddedStore) -> int:
    with redis.Redis(unix_socket_path=str(store.socket)) as client:
        return client.llen("relay:route") + client.llen("relay:drain")


@pytest.mark.parametrize(
    ("query", "variables"),
    [("", {"RELAY_REDIS_TLS": "insecure"}), ("?ssl_ca_certs={certificate}", {})],
    ids=["any certificate", "verified by its own authority"],
)
def test_a_hook_is_delivered_and_celery_carries_its_bell(
    tmp_path: Path, store: EmbeddedStore, front: tuple[int, Path], query: str, variables: dict[str, str]
) -> None:
    port, certificate = front
    url = f"rediss://127.0.0.1:{port}/0{query.format(certificate=certificate)}"
    with run_relay(tmp_path, CONFIG, REDIS_URL=url, **variables) as processes:
        sender = HookSender(processes)
        sender.post_until_taken(lead_hook(7))
        sender.close()
        until(lambda: stored_leads(processes) == {7: 1}, what="the lead to arrive")
        assert "bell.failed" not in processes.log("web")
        assert published_bells(store) >= 1
        until(lambda: not waiting_bells(store), what="Celery to have heard every bell")


def test_a_certificate_that_nobody_vouches_for_is_refused_by_default(front: tuple[int, Path]) -> None:
    told = {"REDIS_URL": f"rediss://127.0.0.1:{front[0]}/0"}
    ran = subprocess.run(
        [sys.executable, "-m", "relay", "stats"], env={**environ(), **told}, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "self-signed certificate" in ran.stderr
