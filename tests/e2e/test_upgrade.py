"""The last release and this one on one store: before, beside and after each other; nothing is lost, nothing doubled."""

import asyncio
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from relay.config.environment import environ
from relay.embedded.server import EmbeddedStore
from relay.operations.search import EventFilter, find_events
from relay.processes.orphan_guard import OrphanGuard
from relay.processes.supervisor import Processes
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.shared_state import SharedState
from relay.store.store import Store
from tests.e2e.harness import HookSender, inject_fault, lead_hook, request_json, sandbox_requests, until
from tests.integration.invariants import broken_invariants

ROOT = Path(__file__).parents[2]
WHEEL = ROOT / "tests/e2e/last_release/amo_relay-0.1.0-py3-none-any.whl"
CONFIG = """
sources:
  acme: {type: amocrm, token: test-token}
sinks:
  orders: {type: http, url: SANDBOX/orders, idempotency_key: false, on_unknown: hold, retry: [1s], attempts: 80}
  papers: {type: http, url: SANDBOX/papers, idempotency_key: false, on_unknown: hold, retry: [1s], attempts: 80}
  strict: {type: http, url: SANDBOX/strict, idempotency_key: false, on_unknown: hold}
routes:
  - {name: each, on: add_lead, to: orders, path: /in, body: {lead: "{{ lead.id }}"}}
  - {name: one a name, on: add_lead, to: papers, once: "{{ lead.name }}", path: /in, body: {lead: "{{ lead.id }}"}}
  - {name: refused, on: add_lead, where: {name: Anna}, to: strict, path: /in, body: {lead: "{{ lead.id }}"}}
subscribers: {allow: ["127.0.0.1/32"]}
"""
SUBSCRIBE = """
import asyncio, sys
from relay.store.connect import connect
from relay.store.subscriptions import Subscriptions
url, target = sys.argv[1:]
asyncio.run(Subscriptions(connect(url, answer_seconds=5)).subscribe("acme", target, ["add_lead"], "anna"))
"""
LEAD = re.compile(r'(?:"lead":"|leads%5Badd%5D%5B0%5D%5Bid%5D=|leads\[add\]\[0\]\[id\]=)(\d+)')
ARRIVING = ("orders", "papers", "app")
pytestmark = pytest.mark.timeout(300)


class Releases:
    """The processes of both releases on one store; the fakes are this one's."""

    def __init__(self, folder: Path, store: EmbeddedStore, stack: ExitStack) -> None:
        (folder / "config").mkdir()
        with zipfile.ZipFile(WHEEL) as wheel:
            wheel.extractall(folder / "last")
        self.url = store.url
        config = folder / "config/relay.yaml"
        self.new = stack.enter_context(_processes(folder / "new", config, self.url, ROOT))
        self.new.start("sandbox")
        config.write_text(CONFIG.replace("SANDBOX", self.new.sandbox_url))
        self.last = folder / "last"
        self.old = stack.enter_context(_processes(folder / "old", config, self.url, folder / "last"))

    def run_last(self, code: str, *arguments: str) -> None:
        """Run code of the last release."""
        command = [sys.executable, "-c", code, *arguments]
        subprocess.run(command, env={**environ(), "PYTHONPATH": str(self.last)}, cwd=self.last, check=True)

    def fail(self, vendor: str, **fault: Any) -> None:
        """Let requests to one of the fakes fail from now on."""
        inject_fault(self.new, vendor=vendor, times=-1, **fault)

    def work_again(self) -> None:
        """Remove all faults."""
        request_json(f"{self.new.sandbox_url}/__sandbox__/faults", method="DELETE")

    def send(self, to: Processes, *bodies: bytes) -> list[bool]:
        """Send hooks to one release; return which of them it took for repetitions."""
        sender = HookSender(to)
        try:
            return [sender.post_until_taken(body)["duplicate"] for body in bodies]
        finally:
            sender.close()

    def read(self, work: Callable[[Store, Reader], Any]) -> Any:
        """Do something with the store."""

        async def run() -> Any:
            client = connect(self.url, answer_seconds=10)
            try:
                return await work(Store(client), Reader(client))
            finally:
                await client.aclose()

        return asyncio.run(run())

    def counts(self) -> dict[str, tuple[int, int, int]]:
        """Return how many deliveries of each sink wait, are held and dead, by the lists."""
        sinks = self.read(lambda _, reader: reader.sinks())
        return {sink.name: (sink.pending, sink.held, sink.dead) for sink in sinks}

    def wait_until_adopted(self) -> None:
        """Have all lists looked at once more, and wait for that."""

        async def begin(store: Store, _: Reader) -> None:
            await store.client.zadd(store.keys.due("jobs"), {"adopt": 0})
            await store.client.zadd(store.keys.wake, {"jobs": 0})

        async def done(store: Store, reader: Reader) -> bool:
            due = await store.client.zscore(store.keys.due("jobs"), "adopt")
            walking = await SharedState(store.client).get("adopt")
            return walking is None and due is not None and due > await reader.now()

        until(lambda: self.read(done), what="the lists to be walked through")
        self.read(begin)
        until(lambda: self.read(done), what="the lists to be walked through again")


def _processes(folder: Path, config: Path, store: str, code: Path) -> Processes:
    inherited = {name: value for name, value in environ().items() if name not in ("REDIS_URL", "PORT")}
    ours = {"RELAY_CONFIG": str(config), "RELAY_LOG": "json", "REDIS_URL": store, "PYTHONPATH": str(code)}
    return Processes(folder, {**inherited, **ours})


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[Releases]:
    store = EmbeddedStore(tmp_path / "store")
    guard = OrphanGuard()
    store.start()
    guard.watch(store.pid)
    with ExitStack() as stack:
        yield Releases(tmp_path, store, stack)
    store.stop()
    guard.close()


def test_the_last_release_before_this_one_beside_it_and_after_it(releases: Releases) -> None:
    old, new = releases.old, releases.new
    old.start("web", "worker")
    log = old.log("worker") + old.log("web")
    assert '"store.refused"' not in log

    # Alone, the last release leaves all kinds of work undone.
    releases.run_last(SUBSCRIBE, releases.url, f"{new.sandbox_url}/app/in")
    releases.fail("strict", fault="status", status=422)
    assert releases.send(old, lead_hook(1, name="Anna")) == [False]
    until(lambda: [_leads_of(releases, name) for name in ARRIVING] == [{1: 1}] * 3, what="the first lead everywhere")
    until(lambda: releases.counts()["strict"][2] == 1, what="a dead letter")
    releases.fail("orders", fault="throttle", retry_after=1)
    releases.fail("papers", fault="reset")
    releases.send(old, lead_hook(2, name="Berta"), lead_hook(3, name="Anna"), b"nonsense")
    until(lambda: releases.counts()["papers"][1] == 1, what="a delivery to be held")

    # Beside each other.
    new.start("web", "worker")
    assert releases.send(new, lead_hook(2, name="Berta"), lead_hook(4, name="Clara")) == [True, False]
    assert releases.send(old, lead_hook(4, name="Clara"), lead_hook(5, name="Anna")) == [True, False]
    until(lambda: releases.counts()["papers"][1] == 2, what="the other one to be held")
    old.stop("web")
    old.stop("worker")
    releases.wait_until_adopted()
    assert releases.counts() == {"orders": (4, 0, 0), "papers": (0, 2, 0), "strict": (0, 0, 3), "sub-1": (0, 0, 0)}
    assert releases.read(lambda store, _: broken_invariants(store)) == []
    assert _lead_events(releases, 2) == 1
    assert releases.read(_malformed) == 1

    # Alone, this one works it off.
    releases.work_again()
    until(lambda: releases.counts()["orders"][0] == 0, what="what waited to be delivered")
    assert _leads_of(releases, "orders") == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1}

    # And back.
    releases.fail("orders", fault="throttle", retry_after=1)
    releases.send(new, lead_hook(6, name="Dora"), lead_hook(7, name="Anna"))
    until(lambda: releases.counts()["orders"][0] == 2, what="both to wait")
    new.stop("web")
    new.stop("worker")
    old.start("web", "worker")
    assert releases.send(old, lead_hook(6, name="Dora"), lead_hook(8, name="Clara")) == [True, False]
    releases.work_again()
    until(lambda: sum(_leads_of(releases, "orders").values()) == 8, what="all to be delivered")
    old.stop("web")
    old.stop("worker")

    # And forth: the lists are right again, and what is held can still be decided.
    new.start("web", "worker")
    releases.wait_until_adopted()
    assert releases.counts() == {"orders": (0, 0, 0), "papers": (0, 2, 0), "strict": (0, 0, 3), "sub-1": (0, 0, 0)}
    assert releases.read(lambda store, _: broken_invariants(store)) == []
    assert _lead_events(releases, 8) == 1
    assert _leads_of(releases, "app") == dict.fromkeys(range(1, 9), 1)
    assert _leads_of(releases, "orders") == dict.fromkeys(range(1, 9), 1)
    assert _leads_of(releases, "papers") == {1: 1, 6: 1}  # 2 and 4 are held, 3, 5, 7 and 8 are of others' `once` keys


def _leads_of(releases: Releases, vendor: str) -> Counter[int]:
    """Count how often each lead arrived, without the requests that a fault has answered."""
    seen = [one["body"] for one in sandbox_requests(releases.new, vendor) if not one["fault"]]
    return Counter(int(lead) for body in seen for lead in LEAD.findall(body))


def _lead_events(releases: Releases, lead: int) -> int:
    found = releases.read(lambda _, reader: find_events(reader, EventFilter(entity=("lead", str(lead)))))
    return len(found.items)


async def _malformed(store: Store, _: Reader) -> int:
    return int(await store.client.zcard(store.keys.receipts_in("malformed")))
