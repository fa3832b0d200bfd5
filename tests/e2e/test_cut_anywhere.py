"""The worker is killed at every point of a call, for every sink that people pay for: nothing is stored twice."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from relay.model import DeliveryState
from relay.sandbox.supervisor import Processes
from relay.store.reading import KeptDelivery

from .running import Amo, arrivals, fault, held, lead_hook, pause, reading, release, running, until

CONFIG = """
sources:
  acme: {type: amocrm, token: test-token, account: {subdomain: acme, id: 7039099}}
sinks:
  smsc: {type: smsc, url: "${RELAY_SANDBOX_URL}/smsc", login: acme, password: psw, found_within: 1s, timeout: 2s}
  smsru: {type: smsru, url: "${RELAY_SANDBOX_URL}/smsru", api_id: an-id, timeout: 2s}
  letters: {type: unisender, url: "${RELAY_SANDBOX_URL}/unisender", api_key: a-key, list_ids: [20547], double_optin: 0,
    timeout: 2s}
  moysklad: {type: moysklad, url: "${RELAY_SANDBOX_URL}/moysklad", token: a-token, timeout: 2s,
    organization: 5f0f2b1e-0000-4000-8000-000000000001}
  books: {type: http, url: "${RELAY_SANDBOX_URL}/books", timeout: 2s}
  ledger:
    type: http
    url: ${RELAY_SANDBOX_URL}/books
    timeout: 2s
    idempotency_key: false
    lookup: {path: /customers, query: {number: <number>}, id_path: items.*.id}
worker: {inbox_lease: 2s, lease_margin: 100ms}
routes:
  - {name: text, on: add_lead, to: smsc, phone: "+79161234567", text: "Сделка {{ lead.id }}"}
  - {name: spare text, on: add_lead, to: smsru, phone: "+79161234567", text: "Сделка {{ lead.id }}"}
  - {name: letter, on: add_lead, to: letters, fields: {email: "lead-{{ lead.id }}@example.com"}}
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
    "moysklad": ("moysklad", "/entity/invoiceout"),
    "books": ("books", "/invoices"),
    "ledger": ("books", "/customers"),
}
POINTS = ("before-read", "stored", "before-answer", "answered")
ONE_EACH = Counter(dict.fromkeys(MAKES, 1))


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with running(tmp_path_factory.mktemp("cut"), CONFIG) as processes:
        yield processes


def made(relay: Processes, lead: int) -> Counter[str]:
    """Count what the vendors have made for this lead, by sink."""
    sinks = {place: sink for sink, place in MAKES.items()}
    seen = [one for vendor in {vendor for vendor, _ in MAKES.values()} for one in arrivals(relay, vendor)]
    return Counter(
        sink
        for one in seen
        if one["stored"] and one["method"] == "POST" and str(lead) in one["body"]
        if (sink := sinks.get((one["vendor"], one["path"])))
    )
