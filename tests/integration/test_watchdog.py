"""A worker of which a part stands still is ended by the process beside it, told by name, and its death counts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relay.config.environment import environ
from relay.operations.doctor import diagnose
from relay.operations.examination import examine
from tests.integration.store.shapes import hook
from workers.stall_watcher import END_SIGNAL

CONFIG = """
sources:
  acme: {type: amocrm, token: acme-hook-token}
sinks:
  console: {type: log}
worker: {inbox_lease: 5s}
routes:
  - {name: all, on: add_lead, to: console, body: {lead: "{{ lead.id }}"}}
"""
LEAD = b"leads[add][0][id]=7&account[subdomain]=acme"


@pytest.fixture
def started(server, namespace, tmp_path):
    """Start a process of `stalling_worker`, which ends with the test."""

    @contextmanager
    def start(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        (tmp_path / "relay.yaml").write_text(CONFIG)
        ours = {"REDIS_URL": server.url, "RELAY_NAMESPACE": namespace, "RELAY_CONFIG": str(tmp_path / "relay.yaml")}
        variables = {**environ(), **ours, "RELAY_LOG": "json", "PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-m", "tests.integration.stalling_worker", *arguments]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    return start


@pytest.fixture
def log(tmp_path):
    return (tmp_path / "log").read_text


def test_a_planner_that_holds_the_interpreter_is_ended_and_the_death_counts(run, store, reader, started, log):
    run(store.accept([hook("r1", LEAD)]))
    with started("worker") as worker:
        assert worker.wait(120) == -signal.SIGKILL
    assert '"event":"worker.stalled"' in log()
    assert '"part":"planner' in log()
    assert "in hold_the_lock" in log()
    (stall,) = run(reader.stalls())
    run(store.end_leases(stall.worker, sending=True))  # as the next worker of this machine does
    assert [receipt.deaths for receipt in run(store.claim_receipts("next", 1, 60_000)).items] == [1]
    assert stall.part in ("planner", "planner and loop")
    (found,) = [one for one in diagnose(run(examine(reader, [])), {"console"}) if "of a worker" in one.about]
    assert (found.about, found.grade) == (f"{stall.part} of a worker", "bad")
    assert f"last in worker {stall.worker}, " in found.found


@pytest.mark.parametrize(
    ("halted", "part"),
    [("planner", "planner"), ("lock", "loop"), ("planner on the loop", "planner and loop")],
)
def test_a_part_that_stands_still_is_told_by_its_name(run, reader, started, log, halted, part):
    with started(halted, "3") as process:
        assert process.wait(120) == -signal.SIGKILL
    assert [(stall.part, stall.worker) for stall in run(reader.stalls())] == [(part, "a-worker")]
    assert '"seconds":3.' in log()


def test_the_first_process_of_a_container_ends_too(started, log, until):
    """It ignores SIGKILL from within; what ends it instead must not wait for the interpreter's lock."""
    with started("lock", "60") as process:
        until(lambda: "it holds the lock" in log())
        os.kill(process.pid, END_SIGNAL)
        assert process.wait(120) == END_SIGNAL


def test_time_in_which_the_whole_process_is_stopped_does_not_count(run, reader, started, log, until):
    limit = 4.0
    with started("loop", str(limit)) as process:
        until(lambda: log().count("it turns") > 20)
        os.kill(process.pid, signal.SIGSTOP)
        before, stopped_at = log().count("it turns"), time.monotonic()
        until(lambda: time.monotonic() > stopped_at + limit + 1)
        os.kill(process.pid, signal.SIGCONT)
        until(lambda: log().count("it turns") > before + 20)
        assert process.poll() is None
    assert run(reader.stalls()) == []


def test_a_watcher_that_was_killed_is_started_again(started, log, until):
    with started("loop", "60") as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            pytest.skip("this system does not list the children of a process")
        first = until(lambda: children.read_text().split())
        os.kill(int(first[0]), signal.SIGKILL)
        until(lambda: "worker.unwatched" in log())
        assert until(lambda: children.read_text().split()) != first


def test_who_was_watched_leaves_no_watcher(started, until):
    with started("loop", "60") as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            pytest.skip("this system does not list the children of a process")
        (watcher,) = until(lambda: children.read_text().split())
    command = Path(f"/proc/{watcher}/cmdline")
    assert until(lambda: not command.exists() or not command.read_bytes())
