"""A whole relay notices that its hook is disabled, and catches up what no hook reported."""

import asyncio
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from relay.processes.supervisor import Processes
from relay.store.keys import JOBS
from tests.e2e.account_client import AccountClient
from tests.e2e.harness import open_reader, request_json, run_relay, until
from tests.e2e.test_fetch import CONFIG, invoices, won
from workers.drift_watch import WATCH_DRIFT
from workers.source_monitor import CHECK_SOURCE

SPAN = ("--since", "1h", "--until", "0s")


def relay(processes: Processes, *arguments: str, status: int = 0) -> Any:
    """Run a command, and return the JSON that it prints."""
    command = [sys.executable, "-m", "relay", *arguments, "--json"]
    done = subprocess.run(command, env=dict(processes.environ), capture_output=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr.decode()
    return json.loads(done.stdout)


def make_due(processes: Processes, *jobs: str) -> None:
    """Have jobs run now: their next time may be far away."""

    async def change() -> None:
        with open_reader(processes) as reader:
            await reader.client.zadd(reader.keys.due(JOBS), dict.fromkeys(jobs, 1), xx=True)
            await reader.client.zadd(reader.keys.wake, {JOBS: 1}, lt=True)
            await reader.client.aclose()

    asyncio.run(change())


def test_what_a_disabled_hook_did_not_report_arrives_by_catching_up_once(tmp_path: Path) -> None:
    with run_relay(tmp_path, CONFIG) as processes:
        fake = AccountClient(processes)
        fake.connect(["add_lead"])
        reported = fake.create("leads", won(0))["ids"]
        until(lambda: invoices(processes).keys() == set(reported), what="the invoice of the first lead")
        fake.switch("disable")
        missed = fake.create("leads", [won(number) for number in range(1, 6)])["ids"]

        counted = relay(processes, "catch-up", "acme", *SPAN, "--dry-run")
        assert (counted["told"], counted["recovered"]) == (1, 5)
        assert relay(processes, "catch-up", "acme", *SPAN, "--wait")["action"]["results"] == {"recovered": 5}
        found = until(lambda: len(seen := invoices(processes)) == 6 and seen, what="what was missed")
        assert found.keys() == {*reported, *missed}
        assert relay(processes, "catch-up", "acme", *SPAN, "--wait")["action"]["results"] == {}


def test_a_disabled_hook_is_seen_by_readyz_metrics_and_the_doctor(tmp_path: Path) -> None:
    with run_relay(tmp_path, CONFIG) as processes:
        fake = AccountClient(processes)
        fake.connect(["add_lead"])
        fake.switch("disable")

        def seen() -> Any:
            make_due(processes, f"{CHECK_SOURCE}:acme")
            found = request_json(f"{processes.url}/readyz")["sources"].get("acme")
            return found if found and found["hook"] == "disabled" else None

        assert until(seen, what="the disabled hook")["problem"] is None
        with urllib.request.urlopen(f"{processes.url}/metrics", timeout=30) as answer:
            assert 'relay_source_hook_disabled{source="acme"} 1.0' in answer.read().decode()
        findings = {one["about"]: one for one in relay(processes, "doctor", status=1)}
        assert findings["source acme"]["grade"] == "bad"
        assert "relay connect acme" in findings["source acme"]["advice"]
        assert findings["what the store survives"]["grade"] == "good"


def test_a_worker_notices_that_the_account_was_edited_and_that_it_was_mended(tmp_path: Path) -> None:
    with run_relay(tmp_path, CONFIG) as processes:
        fake = AccountClient(processes)

        def drifts() -> set[str]:
            make_due(processes, f"{WATCH_DRIFT}:acme")
            found = request_json(f"{processes.url}/admin/api/problems")["items"]
            return {one["id"] for one in found if one["kind"] == "drift"}

        assert drifts() == set()
        fake.set_up({"pipelines": {number: {"statuses": {"142": None}} for number in ("2116", "3340")}})
        until(lambda: drifts() == {"drift:acme/status/142"}, what="the status that is gone")
        [line] = [one for one in relay(processes, "doctor", status=1) if one["kind"] == "drift"]
        assert (line["found"], line["means"]) == (
            "status 142 is gone", "the routes whose condition needs it can never match",
        )  # fmt: skip
        assert relay(processes, "names", "--check", status=1)["checks"][0]["drifts"][0]["id"] == "142"
        fake.set_up({"pipelines": {"2116": {"statuses": {"142": "Успешно реализовано"}}}})
        until(lambda: drifts() == set(), what="the end of the problem")
