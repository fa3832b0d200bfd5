"""The worker is killed at every point of a call, for every sink that people pay for: nothing is lost or made twice."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from relay.model import DeliveryState
from relay.processes.supervisor import Processes
from relay.store.stored import StoredDelivery
from tests.e2e.harness import (
    HookSender,
    lead_hook,
    open_reader,
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
  smsc: {type: smsc, url: "${RELAY_SANDBOX_URL}/smsc", login: acme, password: psw, found_within: 1s}
  smsru: {type: smsru, url: "${RELAY_SANDBOX_URL}/smsru", api_id: an-id}
  letters: {type: unisender, url: "${RELAY_SANDBOX_URL}/unisender", api_key: a-key, list_ids: [20547], double_optin: 0}
  contacts: {type: unisender, url: "${RELAY_SANDBOX_URL}/unisender", api_key: a-key, list_ids: [20548], double_optin: 3,
    lang: ru}
  moysklad: {type: moysklad, url: "${RELAY_SANDBOX_URL}/moysklad", token: a-token,
    organization: 5f0f2b1e-0000-4000-8000-000000000001}
  books: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/books"}
  ledger:
    type: http
    url: ${RELAY_SANDBOX_URL}/books
    idempotency: lookup
    idempotency_key: false
    lookup: {path: /customers, query: {number: <number>}, id_path: items.*.id}
routes:
  - {name: text, on: add_lead, to: smsc, phone: "+79161234567", text: "Сделка {{ lead.id }}"}
  - {name: spare text, on: add_lead, to: smsru, phone: "+79161234567", text: "Сделка {{ lead.id }}"}
  - {name: letter, on: add_lead, to: letters, fields: {email: "lead-{{ lead.id }}@example.com"}}
  - {name: contact, on: add_lead, to: contacts, fields: {email: "{{ lead.id }}@example.com"}}
  - name: invoice
    on: add_lead
    to: moysklad
    external_code: "amo-{{ lead.id }}"
    counterparty: {name: "{{ lead.name }}", external_code: "lead-{{ lead.id }}"}
    positions: [{service: 5f0f2b1e-0000-4000-8000-000000000002, quantity: 1, price: "{{ lead.price | minor }}"}]
  - {name: entry, on: add_lead, to: books, path: /invoices, body: {number: "{{ lead.id }}"}}
  - name: entry without a key
    on: add_lead
    to: ledger
    path: /customers
    lookup: {number: "{{ lead.id }}"}
    body: {number: "{{ lead.id }}"}
"""
# What makes something there, by sink: the vendor, and where it takes that.
MAKES: Mapping[str, tuple[str, str]] = {
    "smsc": ("smsc", "/sys/send.php"),
    "smsru": ("smsru", "/sms/send"),
    "letters": ("unisender", "/en/api/subscribe"),
    "contacts": ("unisender", "/ru/api/subscribe"),
    "moysklad": ("moysklad", "/entity/invoiceout"),
    "books": ("books", "/invoices"),
    "ledger": ("books", "/customers"),
}
ONE_EACH = dict.fromkeys(MAKES, 1)
LEADS = {"before-read": 31_000_001, "stored": 31_000_002, "before-answer": 31_000_003, "answered": 31_000_004}


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with run_relay(tmp_path_factory.mktemp("cut"), CONFIG) as processes:
        yield processes


def post(relay: Processes, lead: int) -> str:
    sender = HookSender(relay)
    receipt: str = sender.post_until_taken(lead_hook(lead))["receipt"]
    sender.close()
    return receipt


def pause_all(relay: Processes, point: str) -> None:
    for vendor, path in MAKES.values():
        pause_request(relay, point, vendor=vendor, path=path)


def wait_for_all(relay: Processes, point: str) -> None:
    places = sorted((*place, point) for place in MAKES.values())
    until(lambda: sorted(paused_requests(relay)) == places, what=f"every vendor to announce {point}")


def cut(relay: Processes, point: str, lead: int) -> str:
    """Kill the worker when each of its calls has reached a point, and start another. Returns the receipt's id."""
    pause_all(relay, point)
    if point == "answered":  # the worker must not read the answers: it is frozen before they come
        pause_all(relay, "before-answer")
    receipt = post(relay, lead)
    if point == "answered":
        wait_for_all(relay, "before-answer")
        os.kill(relay.pid("worker"), signal.SIGSTOP)
        release_requests(relay)
    wait_for_all(relay, point)
    relay.kill("worker")
    release_requests(relay)
    until(lambda: not paused_requests(relay), what="the vendors to go on")
    relay.start("worker")
    return receipt


def deliveries(relay: Processes, receipt: str) -> dict[str, StoredDelivery]:
    """Read what became of a hook, by sink."""

    async def read() -> dict[str, StoredDelivery]:
        with open_reader(relay) as reader:
            (kept,) = await reader.receipts([receipt])
            found = {one.sink: one for one in await reader.deliveries(list(kept.deliveries))}
            await reader.client.aclose()
            return found

    return asyncio.run(read())


def settled(relay: Processes, receipt: str) -> dict[str, StoredDelivery]:
    def all_of_them() -> dict[str, StoredDelivery] | None:
        found = deliveries(relay, receipt)
        return found if all(one.state is not DeliveryState.PENDING for one in found.values()) else None

    return until(all_of_them, what="every delivery to be settled or held")


def stored_by_sink(relay: Processes, lead: int) -> dict[str, int]:
    """Count what the vendors stored for a lead, by sink, from the request log."""
    sinks = {place: sink for sink, place in MAKES.items()}
    seen = [one for one in sandbox_requests(relay) if one["stored"] and str(lead) in one["body"]]
    counts = Counter(sinks.get((one["vendor"], one["path"])) for one in seen)
    return {sink: counts[sink] for sink in MAKES}


def decide(relay: Processes, verdict: str, delivery: StoredDelivery) -> None:
    command = [sys.executable, "-m", "relay", "deliveries", verdict, delivery.id]
    subprocess.run(command, env=relay.environ, check=True, capture_output=True)


@pytest.mark.parametrize("point", LEADS)
def test_wherever_the_worker_is_killed_each_vendor_makes_exactly_one(relay: Processes, point: str) -> None:
    lead, nothing_left = LEADS[point], point == "before-read"
    receipt = cut(relay, point, lead)
    found = settled(relay, receipt)
    # SMS.ru cannot be asked what it has: it alone needs a person.
    held_for_a_person = found.pop("smsru")
    assert {sink: one.state for sink, one in found.items()} == dict.fromkeys(found, DeliveryState.DELIVERED)
    assert held_for_a_person.state is DeliveryState.HELD
    assert "the worker died while it was sending this" in held_for_a_person.reason
    assert stored_by_sink(relay, lead) == {**ONE_EACH, "smsru": 0 if nothing_left else 1}
    decide(relay, "resend" if nothing_left else "confirm", held_for_a_person)
    assert settled(relay, receipt)["smsru"].state is DeliveryState.DELIVERED
    assert stored_by_sink(relay, lead) == ONE_EACH
