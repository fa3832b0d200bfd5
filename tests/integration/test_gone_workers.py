"""What a worker had is given back at once only where its process has ended for certain."""

import os
import signal
import subprocess
import sys

import pytest

from relay.store.keys import sink_queue
from relay.store.requests import sink_claim_request
from tests.integration.store.shapes import hook, new, routed
from workers import gone_workers, worker_lock
from workers.gone_workers import GIVE_BACK_MS, SILENT_MS, GoneWorkers

HOUR = 3_600_000
HOLD = """
import sys
from pathlib import Path
from workers.worker_lock import WorkerLock, make_worker_name
name = make_worker_name()
lock = WorkerLock(name, Path(sys.argv[1]))
lock.acquire()
print(name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """Return a process that holds a worker's lock, and its name."""
    monkeypatch.setattr(worker_lock, "_folder", lambda: tmp_path / "workers")
    command = [sys.executable, "-c", HOLD, str(tmp_path / "workers")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        name = process.stdout.readline().strip()
        yield process, name
        process.kill()


@pytest.fixture
def held(run, store, worker) -> None:
    """Let the worker hold a receipt and a delivery."""
    _, name = worker
    run(store.look(name))
    run(store.accept([hook("r0", b"first"), hook("r1", b"second")]))
    (receipt,) = run(store.claim_receipts("w0:r1", 1, HOUR)).items
    run(store.save_routed("w0:r1", [routed(receipt, new("d0", receipt.id))]))
    assert run(store.claim_receipts(f"{name}:r1", 9, HOUR)).items
    assert run(store.claim_deliveries(sink_claim_request("books", f"{name}:1", 9, HOUR, 0, ()))).items


def taken_back(run, store) -> tuple[int, int]:
    """Count receipts and deliveries whose leases have run out."""
    found = run(store.look("w2"))
    assert found is not None
    now = run(store.client.time())[0] * 1000 + 1000
    counts = [run(store.client.zcount(store.keys.leased(queue), 0, now)) for queue in ("inbox", sink_queue("books"))]
    return counts[0], counts[1]


def test_of_a_process_that_was_killed_everything(run, store, worker, held) -> None:
    process, name = worker
    gone = GoneWorkers(store)
    run(gone.end_leases([(name, SILENT_MS)]))
    assert taken_back(run, store) == (0, 0)  # it lives
    process.kill()
    process.wait()
    run(gone.end_leases([(name, SILENT_MS)]))
    assert taken_back(run, store) == (1, 1)
    assert name not in dict(run(store.look("w2")).silent)


def test_of_one_that_is_stopped_only_what_cannot_have_left_and_late(run, store, worker, held) -> None:
    process, name = worker
    os.kill(process.pid, signal.SIGSTOP)
    gone = GoneWorkers(store)
    run(gone.end_leases([(name, GIVE_BACK_MS - 1)]))
    assert taken_back(run, store) == (0, 0)
    run(gone.end_leases([(name, GIVE_BACK_MS)]))
    assert taken_back(run, store) == (1, 0)
    os.kill(process.pid, signal.SIGCONT)


@pytest.mark.parametrize("name", ["other-host:1:aa", "", "../../etc/passwd"])
def test_of_one_of_another_machine_nobody_knows_that_it_has_ended(name) -> None:
    assert not gone_workers.has_ended(name)


def test_a_name_is_never_used_twice() -> None:
    assert worker_lock.make_worker_name() != worker_lock.make_worker_name()


def test_where_no_file_can_be_written_a_worker_goes_on_without(tmp_path) -> None:
    (tmp_path / "file").touch()
    lock = worker_lock.WorkerLock("w1", tmp_path / "file")
    lock.acquire()
    lock.release()
    assert not worker_lock.has_ended("w1", tmp_path / "file")
