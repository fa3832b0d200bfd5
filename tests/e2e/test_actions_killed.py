"""4,000 dead letters of one sink are resent by one action while its worker is killed twice: each arrives once."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from relay.config.load import load_file
from relay.model import Outcome
from relay.operations.actions import Action, read_action
from relay.planning import plan_receipts
from relay.processes.supervisor import Processes
from relay.sinks.registry import make_sinks, sink_types
from relay.store.connect import connect
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from tests.e2e.harness import lead_hook, run_relay, sandbox_requests, until
from tests.integration.store.shapes import hook, settlement

DEAD, AT_ONCE, LEASE_MS = 4000, 100, 60_000
CONFIG = """
sources:
  acme: {type: amocrm, token: test-token, account: {subdomain: acme, id: 7039099}}
sinks:
  books: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/books"}
routes:
  - {name: invoices, on: add_lead, to: books, path: /invoices, body: {number: "{{ lead.id }}"}}
"""


def open_store(relay: Processes) -> Store:
    return Store(connect(relay.environ["REDIS_URL"], answer_seconds=30))


async def let_die(relay: Processes, path: Path) -> None:
    """Make the dead letters, as hooks, routing and a sink that rejects them would."""
    store = open_store(relay)
    config = load_file(path, environ=relay.environ, sink_types=sink_types())
    sinks = make_sinks(config)
    for first in range(0, DEAD, AT_ONCE):
        await store.accept([hook(f"r{lead:05}", lead_hook(lead)) for lead in range(first, first + AT_ONCE)])
        receipts = (await store.claim_receipts("w:r", AT_ONCE, LEASE_MS)).items
        await store.save_routed("w:r", plan_receipts(receipts, config, sinks))
        claim = await store.claim_deliveries(sink_claim_request("books", "w:d", AT_ONCE, LEASE_MS, 0, []))
        await store.settle("books", [settlement(one, Outcome.REJECTED) for one in claim.items], {})
    await store.client.aclose()


def action_of(relay: Processes, id: str) -> Action:
    async def read() -> Action:
        store = open_store(relay)
        found = await read_action(store, id)
        await store.client.aclose()
        return found

    return asyncio.run(read())


def unfinished(relay: Processes) -> int:
    """Return how many are pending or dead."""

    async def read() -> int:
        store = open_store(relay)
        keys = [store.keys.pending("books"), store.keys.dead("books")]
        found = [await store.client.zcard(key) for key in keys]
        await store.client.aclose()
        return sum(found)

    return asyncio.run(read())


def resend_all(relay: Processes) -> str:
    """Start the action by the command. Returns its id."""
    command = [sys.executable, "-m", "relay", "dead", "resend", "--all", "--sink", "books", "--rate", "2000", "--json"]
    done = subprocess.run(command, env=relay.environ, check=True, capture_output=True)
    found = json.loads(done.stdout)
    assert found["preview"]["results"] == {"done": DEAD}
    id: str = found["action"]["id"]
    return id


def test_each_arrives_once(tmp_path: Path) -> None:
    with run_relay(tmp_path, CONFIG) as relay:
        relay.kill("worker")
        asyncio.run(let_die(relay, tmp_path / "relay.yaml"))
        id = resend_all(relay)
        for touched in (500, 2000):
            relay.start("worker")
            until(lambda: action_of(relay, id).touched >= touched, what=f"{touched} of them to be resent")  # noqa: B023
            relay.kill("worker")
        middle = action_of(relay, id)
        assert (middle.state, middle.touched < DEAD) == ("running", True)
        relay.start("worker")

        until(lambda: action_of(relay, id).state == "done", what="the action to be done")
        until(lambda: unfinished(relay) == 0, what="all of them to be delivered")
        stored = [one for one in sandbox_requests(relay, "books") if one["stored"]]
        arrived = Counter(json.loads(one["body"])["number"] for one in stored)
        assert (len(arrived), set(arrived.values())) == (DEAD, {1})
        action = action_of(relay, id)
        assert (action.results, action.looked, action.total) == ({"done": DEAD}, DEAD, DEAD)
