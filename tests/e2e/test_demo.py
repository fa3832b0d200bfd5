"""`relay demo` and `relay dev` as a person runs them: in a folder of their own, and nothing is left when they end."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from relay.config.environment import environ
from relay.embedded.server import EmbeddedStore
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


def command(folder: Path, *arguments: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    ran = [sys.executable, "-m", "relay", *arguments]
    return subprocess.run(ran, cwd=folder, env=own_environ(**changes), capture_output=True, text=True, timeout=DEADLINE)


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
        "accounting (http): 1 dead, 1 delivered",
        "A deal is won, and accounting refuses the invoice: yours to mend → invoice for a won deal: dead",
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
    assert "[Name]=В*** Л***" in output
    assert "Лаптева" not in output
    assert not running_environ(tmp_path / ".relay" / "demo")


def test_the_demo_has_one_problem_to_mend_its_hook_to_try_is_taken_and_commands_say_that_they_show_it(
    tmp_path: Path,
) -> None:
    """And `check` checks your own file."""
    (tmp_path / "relay.yaml").write_text(
        "sources: {acme: {type: amocrm, token: a-token}}\n"
        "sinks: {books: {type: http, idempotency: honoured, url: '${RELAY_SANDBOX_URL}/books'}}\nroutes: []\n"
    )
    said = "`relay demo` runs in this folder: its store and its configuration are used"
    with relay(tmp_path, "demo") as process:
        try:
            line = next(line for line in process.stdout if line.startswith("try: "))
            tried = line.removeprefix("try: ").replace("curl", "curl -s", 1)
            answer = subprocess.run(tried, shell=True, capture_output=True, text=True, timeout=DEADLINE).stdout
            assert '"duplicate":false' in answer, line
            listed = command(tmp_path, "problems", "list", "--json", RELAY_CONFIG="")
            problems = json.loads(listed.stdout)
            assert [(one["kind"], one["subject"]) for one in problems] == [("dead", "accounting")]
            assert listed.stderr.strip() == said
            checked = command(tmp_path, "check", RELAY_CONFIG="relay.yaml")
            assert "relay.yaml is valid" in checked.stdout, checked.stderr
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_dev_ends_in_order_and_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    with dev(tmp_path) as process:
        started = children(process.pid)
        process.send_signal(how)
        output = process.stdout.read()
        assert process.wait(DEADLINE) == 0
    assert len(started) == 6  # store, broker, sandbox, web, worker, and the guard
    assert "worker.stopped" in output
    assert not started & alive().keys()


def test_nothing_is_left_when_dev_itself_is_killed(tmp_path: Path) -> None:
    with dev(tmp_path) as process:
        started = children(process.pid)
        process.kill()
        until(lambda: not started & alive().keys())
    assert len(started) == 6
    assert running_environ(tmp_path / ".relay") == {}  # its note is stale


def test_when_one_dies_dev_says_which_and_ends_the_others(tmp_path: Path) -> None:
    with dev(tmp_path) as process:
        started = children(process.pid)
        command = ["ps", "-p", ",".join(map(str, started)), "-o", "pid=,args="]
        rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        worker = next(int(row.split()[0]) for row in rows if "relay worker" in row)
        os.kill(worker, signal.SIGKILL)
        output = process.stdout.read()
        assert process.wait(DEADLINE) == 1
    assert "worker ended by signal 9; its log" in output
    assert not started & alive().keys()


def test_the_demo_touches_nothing_of_yours(tmp_path: Path) -> None:
    """Neither your store, nor your configuration, nor anything that its addresses and variables lead to."""
    store = EmbeddedStore(tmp_path / "mine")
    store.start()
    (tmp_path / "relay.yaml").write_text("sources: {}\n")
    nobody = "http://127.0.0.1:1"
    yours = {"REDIS_URL": store.url, "CELERY_BROKER_URL": store.url, "RELAY_CONFIG": "relay.yaml"}
    yours |= {"RELAY_SANDBOX_URL": nobody, "DEMO_HOOK_TOKEN": "mine", "HTTP_PROXY": nobody, "http_proxy": nobody}
    try:
        with relay(tmp_path, "demo", "--once", **yours) as process:
            output, _ = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, output
        assert "accounting (http): 1 dead, 1 delivered" in output
        with redis.Redis(unix_socket_path=str(store.socket)) as client:
            assert client.dbsize() == 0
            assert client.info("stats")["total_connections_received"] <= 2  # the server's start, and this one
    finally:
        store.stop()


def test_dev_says_first_which_real_addresses_it_would_call(tmp_path: Path) -> None:
    config = CONFIG.read_text().replace(
        "${RELAY_SANDBOX_URL:-http://127.0.0.1:8701}/smsc", "https://smsc.example/a-path"
    )
    (tmp_path / "relay.yaml").write_text(config)
    with relay(tmp_path, "dev", RELAY_CONFIG="relay.yaml") as process:
        assert process.stdout.readline() == "REAL addresses: sms → https://smsc.example\n"
        process.terminate()
        process.communicate(timeout=DEADLINE)


def test_commands_use_the_store_that_the_environment_names_else_that_of_dev_and_say_so(tmp_path: Path) -> None:
    (tmp_path / "note.form").write_bytes(b"leads[add][0][id]=1")
    with dev(tmp_path):
        found = command(tmp_path, "stats", REDIS_URL="redis://127.0.0.1:1/0")
        assert found.returncode == 2
        said = "REDIS_URL is set: its store is used, and not that of `relay dev`, which also runs in this folder"
        assert found.stderr.splitlines()[0] == said
        _use_the_store_of_dev_where_the_demo_runs_too(tmp_path)
        assert command(tmp_path, "stats").stderr == ""


def _use_the_store_of_dev_where_the_demo_runs_too(folder: Path) -> None:
    with relay(folder, "demo") as shown:
        until(lambda: running_environ(folder / ".relay" / "demo") or shown.poll() is not None)
        said = "`relay dev` and `relay demo` run in this folder: `relay dev` is used"
        sent = command(folder, "send", "note.form")
        listed = command(folder, "events", "list", "--json")
        assert (sent.stderr.strip(), listed.stderr.strip()) == (said, said)
        assert [event["receipt_id"] for event in json.loads(listed.stdout)] == [sent.stdout.split()[1]]
        shown.terminate()
        shown.communicate(timeout=DEADLINE)


def test_a_wrong_configuration_is_shown_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "relay.yaml").write_text("sources: {}\n")
    with relay(tmp_path, "dev", RELAY_CONFIG="relay.yaml") as process:
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
