"""`relay up`: whatever of it is killed comes back, nothing acknowledged is lost, and it ends in order."""

import os
import socket
from pathlib import Path

from relay.embedded.server import EmbeddedStore
from relay.processes.folder import UP_FOLDER
from relay.up.log_files import MAX_BYTES
from tests.e2e.harness import until
from tests.e2e.up_harness import SENDERS, Load, Up, alive, kill, receipts_of, running_up

CHILDREN = {
    "store": "store/store.sock",
    "broker": "broker/store.sock",
    "worker": "workers.app",
    "guard": "orphan_guard.py",
    "web": "--standby",
}


def web_pids(up: Up) -> tuple[int, int]:
    """Return the process that serves and the spare one, which was started after it."""
    serving, spare = until(lambda: len(found := sorted(up.children("--standby"))) == 2 and found, what="two of web")
    return serving, spare


def test_of_the_only_web_process_that_is_killed_no_hook_is_refused(tmp_path: Path) -> None:
    with running_up(tmp_path) as up, Load(up.port) as load:
        serving, spare = web_pids(up)
        kill(serving)
        load.wait_for(100)
        assert alive(spare)  # it serves
        until(lambda: len(up.children("--standby")) == 2, what="another spare one")
        assert set(load.ends) <= {"202", "reset"}, load.ends
        assert load.ends["reset"] <= SENDERS  # what was in the hand of the one that died
    assert load.acknowledged <= stored_ids(tmp_path)


def stored_ids(folder: Path) -> set[str]:
    """Read what the store of a relay that has ended has on disk."""
    store = EmbeddedStore(folder / UP_FOLDER / "store")
    store.start()
    try:
        return receipts_of(store)
    finally:
        store.stop()


def test_each_other_child_that_is_killed_comes_back_and_nothing_is_lost(tmp_path: Path) -> None:
    with running_up(tmp_path) as up:
        with Load(up.port) as load:
            for name in ("worker", "store", "broker", "guard"):
                killed, what = up.children(CHILDREN[name])[0], CHILDREN[name]
                kill(killed)
                until(lambda: set(up.children(what)) - {killed}, what=f"another {name}")  # noqa: B023
                load.wait_for(20)
            spare = web_pids(up)[1]
            kill(spare)
            until(lambda: len(found := up.children("--standby")) == 2 and spare not in found, what="another spare web")
        assert "refused" not in load.ends
        pending = ("deliveries", "list", "--state", "pending", "--json")
        until(lambda: up.run(*pending).strip() == "[]", what="all to be delivered")
    assert load.acknowledged <= stored_ids(tmp_path)


def test_its_own_death_ends_all_of_them_and_the_next_one_starts(tmp_path: Path) -> None:
    with running_up(tmp_path) as up, Load(up.port) as load:
        before = [pid for what in CHILDREN.values() for pid in up.children(what)]
        up.process.kill()
        up.process.wait()
        up.start()  # as a service manager does that restarts always
        assert not any(alive(pid) for pid in before)
        load.wait_for(20)
    assert load.acknowledged <= stored_ids(tmp_path)


def test_sigterm_ends_it_in_order_and_answers_whoever_was_let_in(tmp_path: Path) -> None:
    with running_up(tmp_path, RELAY_WORKERS="2", WEB_CONCURRENCY="2") as up:
        assert len(up.children(CHILDREN["worker"])) == 2
        until(lambda: len(up.children("--standby")) == 3, what="two of web, and a spare one")
        children = up.children("")
        with Load(up.port) as load:
            up.end()
        assert not any(alive(pid) for pid in children)
        assert set(load.ends) <= {"202", "refused"}, load.ends
    assert load.acknowledged <= stored_ids(tmp_path)


def test_commands_find_it_and_a_second_one_does_not_start(tmp_path: Path) -> None:
    with running_up(tmp_path) as up:
        assert "inbox: 0 waiting" in up.run("stats")
        assert f"another relay runs in {UP_FOLDER}" in up.run("up", status=1)
        assert (tmp_path / UP_FOLDER).stat().st_mode & 0o077 == 0
    assert "REDIS_URL is not set" in up.run("stats", status=1)


def test_on_a_socket_of_systemd_hooks_wait_while_it_is_restarted(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        up = Up(tmp_path, listening)
        up.start()
        with Load(up.port) as load:
            up.end()
            up.start()
            load.wait_for(20)
        up.end()
    assert set(load.ends) == {"202"}, load.ends
    assert load.acknowledged <= stored_ids(tmp_path)


def test_the_log_of_its_store_stays_short_wherever_the_others_go(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / UP_FOLDER / "store")
    store.folder.mkdir(parents=True)
    store.log.touch()
    os.truncate(store.log, MAX_BYTES + 1)
    up = Up(tmp_path)
    up.start("--log-to", "stdout")
    try:
        until(lambda: store.log.stat().st_size < MAX_BYTES, what="the store's log to be put aside")
    finally:
        up.end()
    assert store.log.with_name("store.log.1").stat().st_size > MAX_BYTES
