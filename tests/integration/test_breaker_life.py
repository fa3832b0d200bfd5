"""The whole life of a breaker against a vendor's fake, which fails by share, recovers and fails again."""

import asyncio
import re
import time

import pytest

from relay.config.load import load_file
from relay.sinks.registry import make_sinks, sink_types
from relay.store.keys import sink_queue
from tests.integration.sandbox_process import Sandbox
from tests.integration.scripted_sink import make_drainer, open_tools, queue_deliveries

YAML = """
sources: {{acme: {{type: amocrm, token: a-token-of-sixteen}}}}
sinks:
  books:
    type: http
    url: {url}/shop
    idempotency: honoured
    probe: {{path: /ping}}
    retry: [1h]
    concurrency: 4
    breaker: {{failures: 40%, minimum: 10, window: 10m}}
"""
MANY = 30


class Life:
    """A sink of the sandbox, and what became of its gate."""

    def __init__(self, run, store, reader, namespace, sandbox: Sandbox, sink) -> None:
        self._run, self._store, self._reader, self._namespace = run, store, reader, namespace
        self._sandbox, self._sink = sandbox, sink

    async def changes(self) -> list[str]:
        """Return what became of the gate, oldest first."""
        return [one.change for one in await self._reader.gate_history(sink_queue("books"))]

    async def until_changes_are(self, *changes: str) -> None:
        """Wait until the gate's history is this."""
        async with asyncio.timeout(120):
            while await self.changes() != list(changes):  # noqa: ASYNC110  it is the store's state
                await asyncio.sleep(0.02)

    async def until_all_arrived(self) -> None:
        """Wait until nothing is pending."""
        async with asyncio.timeout(120):
            while (await self._reader.sinks())[0].pending:  # noqa: ASYNC110  it is the store's state
                await asyncio.sleep(0.02)

    def fail(self, every: int) -> None:
        """Let every so many-th invoice fail, and every free call."""
        self._sandbox.fault(fault="status", status=503, vendor="shop", path="/invoices", every=every, times=-1)
        self._sandbox.fault(fault="status", status=503, vendor="shop", path="/ping", times=-1)

    def recover(self) -> None:
        """Let nothing fail."""
        self._sandbox.call("DELETE", "/__sandbox__/faults")

    def queue(self, first: int) -> None:
        """Queue deliveries."""
        contents = [self._sink.content({"path": f"/invoices/{n}", "body": "{}"}) for n in range(first, first + MANY)]
        queue_deliveries(self._run, self._store, contents, first=first)

    async def drain_until_it_recovers(self, *closed: str) -> None:
        """Drain while it fails, let it recover when the gate's history is this, and drain until all have arrived."""
        async with open_tools(self._store, self._namespace) as tools:
            drainer = make_drainer(self._sink, self._store, tools)
            drainer.start()
            await self.until_changes_are(*closed)
            self.recover()
            await self.until_all_arrived()
            await drainer.finish(time.monotonic() + 30)


@pytest.fixture
def life(run, store, reader, namespace, sandbox, tmp_path) -> Life:
    (tmp_path / "relay.yaml").write_text(YAML.format(url=sandbox.url))
    sink = make_sinks(load_file(tmp_path / "relay.yaml", environ={}, sink_types=sink_types()))["books"]
    run(store.registry.add_sinks({"books": "http"}))
    return Life(run, store, reader, namespace, sandbox, sink)


def test_its_history_tells_that_it_failed_by_share_recovered_and_failed_again(run, life, reader, sandbox, relay):
    life.queue(0)
    life.fail(every=2)
    run(life.drain_until_it_recovers("closed", "still closed"))
    life.queue(MANY)
    life.fail(every=1)
    run(life.drain_until_it_recovers("closed", "still closed", "opened", "closed", "still closed"))
    arrived = [one["path"] for one in sandbox.requests("shop") if one["stored"] and one["path"] != "/ping"]
    assert sorted(arrived) == sorted(f"/invoices/{n}" for n in range(2 * MANY))
    code, printed = relay.command("sinks", "show", "books")
    by_share, tried, opened, by_all, _, reopened = printed.splitlines()[-6:]
    assert code == 0
    assert re.search(r"closed: \d+ of \d+ attempts failed within 10m, the last: 503 Service Unavailable$", by_share)
    assert re.search(r"still closed, .*: its probe: 503", tried) or "still closed: its probe: 503" in tried
    assert opened.endswith("opened: a trial came to: delivered")
    assert re.search(r"closed: \d+ of \d+ attempts failed within 10m", by_all)
    assert reopened.endswith("opened: a trial came to: delivered")
    assert all(re.match(r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line) for line in printed.splitlines()[-6:])
