"""What Prometheus reads: every metric that docs/operations.md names, with what really happened.

There are two web processes and three workers, one of which is killed: every web process tells the whole.
"""

import asyncio
import re
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from relay.processes.supervisor import Processes
from relay.store.fields import DeliveryField
from relay.store.keys import sink_queue
from tests.deploy.programs import program
from tests.e2e.harness import (
    HookSender,
    inject_fault,
    lead_hook,
    open_reader,
    pause_request,
    paused_requests,
    release_requests,
    run_relay,
    sandbox_requests,
    until,
)

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
CONFIG = """
sources:
  acme: {type: amocrm, token: test-token}
  other: {type: amocrm, token: test-token}
sinks:
  books: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/books"}
  list: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/list", retry: [1s], breaker: off}
routes:
  - name: invoices
    source: acme
    on: add_lead
    where: {price: {gt: 0}}
    to: books
    path: /invoices
    body: {lead: "{{ lead.id }}"}
  - {name: addresses, source: other, on: add_lead, to: list, body: {lead: "{{ lead.id }}"}}
"""
HOOKS, REJECTED, RETRIED = 60, 3, 4
CUT = 1  # requests whose answer nobody heard: their worker was killed
DELIVERED = ("relay_deliveries_total", "list", "delivered")
REFUSED = ("relay_hooks_refused_total", "wrong_token", "other")
WORKERS = ("worker", "worker:2", "worker:3")


@pytest.fixture(scope="module")
def webs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Processes, Processes]]:
    """Run a relay with three workers, and a second web process of it on a port of its own."""
    folder = tmp_path_factory.mktemp("relay")
    with run_relay(folder, CONFIG) as first:
        first.start(*WORKERS[1:])
        (folder / "second").mkdir()
        beside = {name: "" if name.endswith("PORT") else value for name, value in first.environ.items()}
        with Processes(folder / "second", beside) as second:
            second.start("web")
            yield first, second


def read_text(url: str) -> str:
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        return answer.read().decode()


def scrape(processes: Processes) -> list[Metric]:
    return list(text_string_to_metric_families(read_text(processes.url)))


def samples(families: list[Metric]) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and the values of its labels, in the order of the labels' names."""
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
    }


def rows_in_docs() -> dict[str, tuple[str, set[str], str]]:
    """Return type, labels and help of every metric of the table."""
    row = re.compile(r"^\| `(relay_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
    found = row.findall(DOCS.read_text(encoding="utf-8"))
    return {name: (kind, set(re.findall(r"\w+", labels)), help) for name, kind, labels, help in found}


def named_in_docs() -> set[str]:
    return set(rows_in_docs())


def test_the_metrics_count_what_happened_and_are_those_that_the_docs_name(
    webs: tuple[Processes, Processes],
) -> None:
    processes, _ = webs
    sender = HookSender(processes)
    for lead in (1, 2):
        sender.post_until_taken(lead_hook(lead))
    sender.post_until_taken(lead_hook(2))  # again
    sender.post_until_taken(lead_hook(3, price="0"))
    sender.post_until_taken(b"not a form")
    sender.close()

    def settled() -> list[Metric] | None:
        families = scrape(processes)
        values = samples(families)
        inbox = values["relay_queue_depth", "inbox", "waiting"] + values["relay_queue_depth", "inbox", "in_flight"]
        done = values.get(("relay_deliveries_total", "books", "delivered")) == 2
        return families if done and inbox == 0 else None

    families = until(settled, what="two deliveries")
    text = read_text(processes.url)
    values = samples(families)
    assert {key: values.get(key) for key in EXPECTED} == EXPECTED
    for measure in ("relay_attempt_duration_seconds", "relay_delivery_duration_seconds"):
        buckets = [n for (name, *_), n in values.items() if name == f"{measure}_bucket"]
        assert buckets == sorted(buckets)
        assert (buckets[-1], values[f"{measure}_count", "books"]) == (2, 2)
        assert 0 < values[f"{measure}_sum", "books"] < 60
    scraped = {family.name + "_total" * (family.type == "counter"): family for family in families}
    documented = rows_in_docs()
    assert scraped.keys() == documented.keys()
    for name, family in scraped.items():
        kind, labels, help = documented[name]
        assert (family.type, family.documentation) == (kind, help)
        assert all(sample.labels.keys() - {"le"} == labels for sample in family.samples), name
    linted = subprocess.run(
        [program("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")


EXPECTED = {
    ("relay_receipts_total", "acme", "accepted"): 4,
    ("relay_receipts_total", "acme", "duplicate"): 1,
    ("relay_receipts_total", "acme", "routed"): 2,
    ("relay_receipts_total", "acme", "unrouted"): 1,
    ("relay_receipts_total", "acme", "malformed"): 1,
    ("relay_events_total", "add_lead", "acme"): 3,
    ("relay_deliveries_total", "books", "created"): 2,
    ("relay_attempts_total", "delivered", "books"): 2,
    ("relay_deliveries_total", "books", "expired"): 0,
    ("relay_receipts_total", "acme", "quarantined"): 0,
    ("relay_route_deliveries_total", "invoices", "pending"): 2,
    ("relay_sink_deliveries", "books", "waiting"): 0,
    ("relay_sink_deliveries", "books", "in_flight"): 0,
    ("relay_sink_deliveries", "books", "held"): 0,
    ("relay_sink_deliveries", "books", "dead"): 0,
    ("relay_sink_gate_closed", "books"): 0,
    ("relay_queue_depth", "inbox", "in_flight"): 0,
    ("relay_store_receipts",): 4,
    ("relay_workers",): 3,
}


def counted(web: Processes) -> dict[tuple[str, ...], float]:
    """Read all counters and counts of a web process."""
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(read_text(web.url))
        if family.type in ("counter", "histogram")
        for one in family.samples
    }


def holder(processes: Processes) -> str:
    """Return the worker that holds the only lease at the sink: its tokens begin with the machine and its process."""

    async def token() -> str:
        with open_reader(processes) as reader:
            (id,) = await reader.client.zrange(reader.keys.leased(sink_queue("list")), 0, -1)
            found = await reader.client.hget(reader.keys.delivery(id.decode()), DeliveryField.TOKEN)
            await reader.client.aclose()
            return found.decode()

    pid = int(asyncio.run(token()).split(":")[1])
    return next(name for name in WORKERS if processes.pid(name) == pid)


def test_all_count_the_same_as_the_receiver_also_after_a_kill(webs: tuple[Processes, Processes]) -> None:
    first, _ = webs
    inject_fault(first, fault="status", status=422, vendor="list", times=REJECTED)
    inject_fault(first, fault="status", status=503, vendor="list", times=RETRIED)
    senders = [HookSender(web, "other") for web in webs]
    for lead in range(1, HOOKS):
        senders[lead % 2].post_until_taken(lead_hook(lead))
    for sender in senders:
        assert sender.post_until_taken(lead_hook(1))["duplicate"]  # whichever process took the first
        assert sender.post(b"x=1", "/hooks/other/wrong")[0] == 404
        sender.close()
    until(lambda: counted(first)[DELIVERED] == HOOKS - 1 - REJECTED, what="all but the rejected to be delivered")

    pause_request(first, "before-answer", vendor="list")
    senders[0].post_until_taken(lead_hook(HOOKS))
    senders[0].close()
    until(lambda: paused_requests(first), what="the last call to wait for its answer")
    first.kill(holder(first))
    release_requests(first)
    until(lambda: counted(first)[DELIVERED] == HOOKS - REJECTED, what="another worker to deliver it")

    seen = sandbox_requests(first, "list")
    statuses = Counter(one["status"] for one in seen)
    stored = {one["idempotency_key"] for one in seen if one["stored"]}
    assert statuses == {422: REJECTED, 503: RETRIED, 200: HOOKS - REJECTED + CUT}
    for web in webs:
        until(lambda web=web: counted(web).get(REFUSED) == 2, what="the refusals to be counted")
        values = counted(web)
        assert values[DELIVERED] == len(stored)
        assert values["relay_deliveries_total", "list", "created"] == HOOKS
        assert values["relay_deliveries_total", "list", "dead"] == statuses[422]
        assert values["relay_attempts_total", "delivered", "list"] == statuses[200] - CUT
        assert values["relay_attempts_total", "rejected", "list"] == statuses[422]
        assert values["relay_attempts_total", "retry", "list"] == statuses[503]
        assert values["relay_attempt_duration_seconds_count", "list"] == len(seen) - CUT
        assert values["relay_delivery_duration_seconds_count", "list"] == len(stored)
        assert values["relay_receipts_total", "other", "accepted"] == HOOKS
        assert values["relay_receipts_total", "other", "routed"] == HOOKS
        assert values["relay_receipts_total", "other", "duplicate"] == len(webs)
    assert counted(webs[0]) == counted(webs[1])
