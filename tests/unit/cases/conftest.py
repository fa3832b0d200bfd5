"""A folder with a configuration, for cases of it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from relay.cases.case import Case
from relay.cases.load import CaseLoader
from relay.cases.run import CaseResult, run_case
from relay.sinks.registry import sink_types

CONFIG = """\
sources:
  acme: {type: amocrm, token: "${ACME_HOOK_TOKEN}", account: {subdomain: acme, id: 7039099}, ignore_users: [504141],
         api: {token: "${ACME_API_TOKEN}"}}
sinks:
  books: {type: http, idempotency: honoured, url: "https://books.example.com/api", auth: {bearer: "${BOOKS_TOKEN}"}}
  spare: {type: http, idempotency: honoured, url: "https://spare.example.com/api"}
  sms: {type: smsc, apikey: "${SMSC_KEY}", segment_price: 4.50}
tables:
  managers: {102525: "+79161234567"}
routes:
  - name: invoice
    on: [status_lead, add_lead]
    where: {status_id: 142, price: {gt: 0}}
    once: "{{ lead.id }}"
    to: [books, spare]
    path: /invoices
    body: {id: "{{ lead.id }}", amount: "{{ lead.price | decimal }}", tags: "{{ lead.tags | default([]) }}"}
  - name: text to the manager
    on: status_lead
    where: {status_id: {ne: 142}}
    to: sms
    phone: "{{ lead.responsible_user_id | lookup('managers') }}"
    text: "{{ lead.name }}"
  - name: buyer
    on: update_lead
    fetch: [contacts, company, responsible]
    where: {status_id: 142, contact: {email: {exists: true}}}
    to: books
    path: /buyers
    body: {email: "{{ contact.email }}", all: "{{ contacts | map(attribute='name') | list }}",
           company: "{{ company.name | omit }}", by: "{{ responsible.name | omit }}"}
  - name: card
    on: [add_contact, add_company]
    to: spare
    body: {at: "{{ event.received_at }}", id: "{{ event.id }}"}
"""
VARIABLES = {"ACME_HOOK_TOKEN": "a-token", "ACME_API_TOKEN": "b-token", "BOOKS_TOKEN": "c-token", "SMSC_KEY": "d-key"}

Load = Callable[[str], list[Case]]
Run = Callable[[str], Sequence[CaseResult]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "relay.yaml").write_text(CONFIG)
    (tmp_path / "cases").mkdir()
    return tmp_path


@pytest.fixture
def load_cases(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load cases that are written as the items of `cases`."""
    monkeypatch.chdir(folder)

    def load(text: str) -> list[Case]:
        file = Path("cases/a.yaml")
        file.write_text(text if text.startswith(("cases:", "config:", "variables:", "x-")) else f"cases:\n{text}")
        return CaseLoader("relay.yaml", VARIABLES, sink_types()).load([file])

    return load


@pytest.fixture
def run_cases(load_cases: Load) -> Run:
    return lambda text: [run_case(case) for case in load_cases(text)]
