"""The operator's pages in headless Chromium: one relay and one browser for each module.

A browser must not outlive its module: while it is open, playwright's event loop counts as running in this thread, and
no other test of the process could run its own.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from relay.processes.supervisor import Processes
from tests.e2e.harness import HookSender, inject_fault, request_json, run_relay

CONFIG = """
sources:
  acme: {type: amocrm, token: test-token, account: {subdomain: acme}, timezone: Europe/Moscow}
sinks:
  books: {type: http, url: "${RELAY_SANDBOX_URL}/ledger", idempotency: none, retry: [1s]}
  console: {type: log}
routes:
  - name: invoices
    on: add_lead
    where: {price: {gt: 1000}}
    to: books
    body: {lead: "{{ lead.id }}", amount: "{{ lead.price }}"}
  - name: everything
    on: [add_lead, update_lead]
    to: console
    text: "{{ lead.name }}"
"""
NEEDED = "Chromium opens the operator's pages: apt-get install chromium (.ci/run does it)"
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium: playwright's own is not downloaded. In CI it is never skipped."""
    path = shutil.which("chromium")
    if path is None:
        assert "CI" not in os.environ, NEEDED
        pytest.skip(NEEDED)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def relay(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Run a relay with web, worker, store and fakes."""
    with run_relay(tmp_path_factory.mktemp("pages"), CONFIG) as processes:
        yield processes


@pytest.fixture(scope="module")
def hooks(relay: Processes) -> Iterator[HookSender]:
    sender = HookSender(relay)
    yield sender
    sender.close()


@pytest.fixture
def faults(relay: Processes) -> Iterator[Callable[..., None]]:
    """Inject faults into the fakes; they end with the test."""

    def inject(**fault: Any) -> None:
        inject_fault(relay, **fault)

    yield inject
    clear_faults(relay)


def clear_faults(relay: Processes) -> None:
    request_json(f"{relay.sandbox_url}/__sandbox__/faults", method="DELETE")


@pytest.fixture
def open_page(browser: Browser, relay: Processes, tmp_path: Path) -> Iterator[Open]:
    """Open a page in a browser of its own. After the test no console may have shown an error."""
    contexts, errors = [], list[str]()

    def open_at(path: str, *, width: int = 1440, language: str = "en", theme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, locale=language, color_scheme=theme, base_url=f"http://127.0.0.1:{relay.port}",
        )  # fmt: skip
        contexts.append(context)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.on(
            "console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert errors == []
