"""`relay up --reload`: what is installed now replaces what runs, and no hook notices."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relay import __version__
from relay.embedded.server import EmbeddedStore
from relay.processes.folder import UP_FOLDER
from tests.e2e.harness import until
from tests.e2e.test_up import CHILDREN, stored_ids, web_pids
from tests.e2e.up_harness import CONFIG, Load, alive, is_serving, kill, post_hook, running_up


def test_a_reload_under_load_replaces_web_and_workers_and_costs_no_hook(tmp_path: Path) -> None:
    with running_up(tmp_path) as up, Load(up.port) as load:
        web_pids(up)
        replaced = [pid for name in ("web", "worker", "guard") for pid in up.children(CHILDREN[name])]
        servers = [up.children(CHILDREN[name]) for name in ("store", "broker")]
        (tmp_path / ".env").write_text("RELAY_WORKERS=2\n")  # it reads this anew, too
        printed = up.run("up", "--reload")
        assert printed == f"relay {__version__} has replaced web and workers; the store went on\n"
        assert not any(alive(pid) for pid in replaced)
        assert [up.children(CHILDREN[name]) for name in ("store", "broker")] == servers
        assert len(up.children(CHILDREN["worker"])) == 2
        load.wait_for(20)
        assert set(load.ends) == {"202"}, load.ends
        kill(web_pids(up)[0])  # the next program watches what it has started, and listens as before
        load.wait_for(20)
        assert set(load.ends) <= {"202", "reset"}, load.ends
    assert load.acknowledged <= stored_ids(tmp_path)


def test_what_would_not_start_replaces_nothing_and_where_none_runs_nothing_is_reloaded(tmp_path: Path) -> None:
    with running_up(tmp_path) as up:
        web_pids(up)
        before = up.children("")
        (tmp_path / "config" / "relay.yaml").write_text(CONFIG.replace("to: out", "to: nowhere"))
        printed = up.run("up", "--reload", status=1)
        assert printed.startswith("not reloaded, the processes before go on:\nconfig/relay.yaml:7:")
        assert up.children("") == before
        up.end()
        assert "no `relay up` is ready in " in up.run("up", "--reload", status=1)


def test_a_reload_while_the_store_is_away_starts_the_store(tmp_path: Path) -> None:
    with running_up(tmp_path) as up:
        guards, stores = up.children(CHILDREN["guard"]), up.children(CHILDREN["store"])
        with in_place_of(EmbeddedStore(tmp_path / UP_FOLDER / "store").socket):  # so it cannot start
            kill(stores[0])
            until(lambda: "process.not_started" in up.log, what="the store not to start")
            up.process.send_signal(signal.SIGHUP)
            until(lambda: set(up.children(CHILDREN["guard"])) - set(guards), what="the next program")
        until(lambda: up.state.reloads == 1, seconds=100, what="the reload")
        assert up.state.problem is None
        assert len(up.children(CHILDREN["store"])) == 1
        until(lambda: is_serving(up.port), what="web to serve")


def test_a_reload_keeps_the_namespace_in_which_the_data_is(tmp_path: Path) -> None:
    with running_up(tmp_path) as up:
        (tmp_path / ".env").write_text("RELAY_NAMESPACE=other\n")
        assert post_hook(up.port, 1)[0] == "202"
        up.run("up", "--reload")
        assert post_hook(up.port, 2)[0] == "202"
        assert len(up.receipts()) == 2
        until(lambda: len(json.loads(up.run("events", "list", "--json"))) == 2, what="commands to look there, too")


@contextmanager
def in_place_of(path: Path) -> Iterator[None]:
    """Put a folder in a file's place for a while."""
    path.unlink()
    path.mkdir()
    try:
        yield
    finally:
        path.rmdir()
