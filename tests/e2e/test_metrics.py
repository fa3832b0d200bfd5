"""What Prometheus reads: every metric that docs/operations.md names, with what really happened."""

import re
import urllib.request
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from relay.processes.supervisor import Processes
from tests.e2e.harness import HookSender, lead_hook, run_relay, until

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
CONFIG = """
sources:
  acme: {type: amocrm, token: test-token}
sinks:
  books: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/books"}
routes:
  - {name: invoices, on: add_lead, where: {price: {gt: 0}}, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}
"""


def scrape(processes: Processes) -> list[Metric]:
    with urllib.request.urlopen(f"{processes.url}/metrics", timeout=30) as answer:
        return list(text_string_to_metric_families(answer.read().decode()))


def samples(families: list[Metric]) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and the values of its labels, in the order of the labels' names."""
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
    }


def named_in_docs() -> set[str]:
    """Return the metrics of the table, `_in_flight` after `relay_sink_waiting` for relay_sink_in_flight."""
    found: set[str] = set()
    for cell in re.findall(r"^\| (`relay_.*?) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE):
        first, *others = re.findall("`(.*?)`", cell)
        prefix = "_".join(first.split("_")[:2])
        found |= {first, *(name if name.startswith("relay_") else prefix + name for name in others)}
    return found


def test_the_metrics_count_what_happened_and_are_those_that_the_docs_name(tmp_path: Path) -> None:
    with run_relay(tmp_path, CONFIG) as processes:
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
            inbox = values["relay_queue_depth", "inbox", "waiting"] + values["relay_queue_depth", "inbox", "leased"]
            done = values.get(("relay_deliveries_total", "books", "delivered")) == 2
            return families if done and inbox == 0 else None

        families = until(settled, what="two deliveries")
    values = samples(families)
    assert {key: values.get(key) for key in EXPECTED} == EXPECTED
    for measure in ("relay_attempt_seconds", "relay_end_to_end_seconds"):
        buckets = [n for (name, *_), n in values.items() if name == f"{measure}_bucket"]
        assert buckets == sorted(buckets)
        assert (buckets[-1], values[f"{measure}_count", "books"]) == (2, 2)
        assert 0 < values[f"{measure}_sum", "books"] < 60
    assert {family.name for family in families} == {name.removesuffix("_total") for name in named_in_docs()}


EXPECTED = {
    ("relay_receipts_total", "acme", "accepted"): 4,
    ("relay_receipts_total", "acme", "duplicate"): 1,
    ("relay_receipts_total", "acme", "routed"): 2,
    ("relay_receipts_total", "acme", "unrouted"): 1,
    ("relay_receipts_total", "acme", "malformed"): 1,
    ("relay_events_total", "add_lead", "acme"): 3,
    ("relay_deliveries_total", "books", "created"): 2,
    ("relay_attempts_total", "delivered", "books"): 2,
    ("relay_sink_waiting", "books"): 0,
    ("relay_sink_in_flight", "books"): 0,
    ("relay_sink_held", "books"): 0,
    ("relay_sink_dead", "books"): 0,
    ("relay_sink_gate_closed", "books"): 0,
    ("relay_queue_depth", "inbox", "leased"): 0,
}
