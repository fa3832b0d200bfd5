"""`python -m tests.bench.pages`: how long the server takes for each page over 100,000 deliveries, the median of five.

Beside the time on the clock stands what of the processor this process used: on a busy machine that tells more.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from relay.embedded.server import EmbeddedStore
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.store import Store
from relay.web import app
from relay.web.admin.menu import MENU
from tests.bench.lists import SINKS, fill

TIMES = 5
CONFIG = f"""
sources: {{acme: {{type: amocrm, token: acme-hook-token-16, account: {{subdomain: acme}}}}}}
sinks: {{{", ".join(f"{name}: {{type: log}}" for name in SINKS)}}}
routes: [{{name: invoices, on: add_lead, to: books}}]
"""


async def bench(url: str, count: int) -> None:
    client = connect(url, answer_seconds=30)
    await fill(Store(client), count)
    reader = Reader(client)
    (receipt,) = await reader.newest_receipts(1)
    (delivery, *_) = (await reader.receipts([receipt]))[0].deliveries
    await client.aclose()
    application = app.create()
    async with application.lifespan_context(application):
        transport = httpx.ASGITransport(application, client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000", timeout=60) as browser:
            for path in _paths(receipt, delivery):
                await _measure(browser, path)


def _paths(receipt: str, delivery: str) -> list[str]:
    return [
        *(entry.path for entry in MENU),
        f"/admin/events/{receipt}",
        f"/admin/deliveries/{delivery}",
        "/admin/deliveries",
        "/admin/deliveries?state=dead",
        "/admin/deliveries?state=pending",
        "/admin/events?q=lead:7",
        "/admin/events?q=nothing-has-this-text",
        "/admin/events?event=delete_lead",
        "/admin/events?route=never-matched",
        "/admin/events?source=never-sent",
        "/admin/deliveries?route=never-matched",
        "/admin/sinks/books",
        "/admin/api/deliveries?state=dead",
        "/admin/api/problems",
        "/admin/api/failures",
    ]


async def _measure(browser: httpx.AsyncClient, path: str) -> None:
    took, used, status, size = [], [], 0, 0
    for _ in range(TIMES):
        began, began_work = time.perf_counter(), time.process_time()
        answer = await browser.get(path)
        took.append((time.perf_counter() - began) * 1000)
        used.append((time.process_time() - began_work) * 1000)
        status, size = answer.status_code, len(answer.content)
    times = f"{statistics.median(took):6.0f} ms, of the processor {statistics.median(used):4.0f} ms"
    sys.stdout.write(f"{path:<56} {status} {size:>8} bytes {times}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.chdir(folder)
        Path("relay.yaml").write_text(CONFIG)
        server = EmbeddedStore(Path(folder), "--appendonly", "no")
        server.start()
        os.environ |= {"REDIS_URL": server.url, "RELAY_CONFIG": "relay.yaml"}
        try:
            asyncio.run(bench(server.url, int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
        finally:
            server.kill()
