"""`relay demo` and `relay dev` as a person runs them: in a folder of their own, and nothing is left when they end."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relay.config.environment import environ
from relay.errors import RelayError
from relay.processes.folder import LockedFolder, running_environ
from relay.processes.supervisor import Processes

CONFIG = Path(__file__).parents[2] / "config" / "relay.yaml"
DEADLINE = 60.0


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "the condition did not hold in time"
        time.sleep(0.05)


def own_environ(**changes: str) -> dict[str, str]:
    inherited = ("REDIS_URL", "CELERY_BROKER_URL", "PORT", "RELAY_SANDBOX_PORT", "RELAY_NAMESPACE")
    variables = {name: value for name, value in environ().items() if name not in inherited}
    return {**variables, "RELAY_CONFIG": str(CONFIG), **changes}


def relay(folder: Path, *arguments: str, **changes: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "relay", *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=own_environ(**changes), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def alive() -> dict[int, int]:
    """Return every process that runs, with its parent."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return {int(pid): int(parent) for pid, parent, stat in rows if not stat.startswith("Z")}


def children(parent: int) -> set[int]:
    return {pid for pid, its_parent in alive().items() if its_parent == parent}


def demo(folder: Path) -> str:
    with relay(folder, "demo", "--once") as process:
        output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, output
    return output


@contextlib.contextmanager
def dev(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    with relay(folder, "dev") as process:
        try:
            until(lambda: running_environ(folder / ".relay") or process.poll() is not None)
            assert process.poll() is None, process.stdout.read()
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.stdout.read()


def test_the_demo_settles_and_shows_what_each_sink_received(tmp_path: Path) -> None:
    """A second time too: the store of the first run is kept, and its `once` keys must not stand in the way."""
    demo(tmp_path)
    output = demo(tmp_path)
    summary = output.partition("What each sink received:")[2]
    for line in (
        "accounting (http): 1 delivered",
        "A deal is won → invoice for a won deal: delivered",
        "received POST /books/invoices",
        "newsletter (unisender): 1 delivered",
        "received POST /unisender/en/api/subscribe",
        "sms (smsc): 1 delivered, 1 skipped",
        "received POST /smsc/sys/send.php phones=+7***4567&mes=Сделка",
        "console (log): 2 delivered",
    ):
        assert line in summary
    assert "demo-unisender-key" not in output
    assert "a duplicate, not routed" in output
    assert "unrouted" in output
    assert '"amount":"154000.00"' in output
    assert "@example.com" in output
    assert "Vera." not in output  # personal data is masked
    assert not running_environ(tmp_path / ".relay")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_dev_ends_in_order_and_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    with dev(tmp_path) as process:
        started = children(process.pid)
        process.send_signal(how)
        output = process.stdout.read()
        assert process.wait(DEADLINE) == 0
    assert len(started) == 5  # store, sandbox, web, worker, and the guard
    assert "worker.stopped" in output
    assert not started & alive().keys()


def test_nothing_is_left_when_dev_itself_is_killed(tmp_path: Path) -> None:
    with dev(tmp_path) as process:
        started = children(process.pid)
        process.kill()
        until(lambda: not started & alive().keys())
    assert len(started) == 5
    assert running_environ(tmp_path / ".relay") == {}  # its note is stale


def test_when_one_dies_dev_says_which_and_ends_the_others(tmp_path: Path) -> None:
    with dev(tmp_path) as process:
        started = children(process.pid)
        command = ["ps", "-p", ",".join(map(str, started)), "-o", "pid=,args="]
        rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        worker = next(int(row.split()[0]) for row in rows if "celery" in row)
        os.kill(worker, signal.SIGKILL)
        output = process.stdout.read()
        assert process.wait(DEADLINE) == 1
    assert "worker ended by signal 9; its log" in output
    assert not started & alive().keys()


def test_a_wrong_configuration_is_shown_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "relay.yaml").write_text("sources: {}\n")
    with relay(tmp_path, "demo", "--once", RELAY_CONFIG="relay.yaml") as process:
        output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "relay.yaml:1:" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("command", ["web", "worker"])
def test_web_and_worker_say_which_variable_is_missing(tmp_path: Path, command: str) -> None:
    with relay(tmp_path, command) as process:
        output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert output.startswith("REDIS_URL is not set")


def test_one_folder_is_for_one_relay(tmp_path: Path) -> None:
    held = LockedFolder(tmp_path)
    with pytest.raises(RelayError, match="another relay runs"), Processes(tmp_path, own_environ()):
        pass
    held.release()
    with Processes(tmp_path, own_environ()) as processes:
        assert processes.environ["PORT"] == str(processes.port)


def test_a_process_that_does_not_start_is_shown_with_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "relay.yaml").write_text("sinks: 7\n")
    environ = own_environ(RELAY_CONFIG=str(tmp_path / "relay.yaml"))
    with Processes(tmp_path / "x", environ) as processes:
        with pytest.raises(RelayError, match=r"(?s)web ended with exit status 1; its log .*relay\.yaml:1:"):
            processes.start("store", "web")
        processes.stop("web")


def test_processes_are_killed_stopped_and_restarted_by_name(tmp_path: Path) -> None:
    with Processes(tmp_path, own_environ()) as processes:
        processes.start("store", "sandbox")
        first = processes.pid("sandbox")
        processes.restart("sandbox")
        second = processes.pid("sandbox")
        processes.kill("sandbox")
        processes.check()  # it was ended on purpose
        store = processes.pid("store")
        processes.restart("store")
        started = {second, processes.pid("store")}
        assert first != second
        assert store != processes.pid("store")
    assert not {first, store, *started} & alive().keys()
