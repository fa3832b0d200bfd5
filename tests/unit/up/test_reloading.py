"""A reload is a success only where the one that was asked for it has done it."""

import os
from pathlib import Path

import pytest

from relay.errors import RelayError
from relay.processes.folder import LockedFolder
from relay.up.reloading import reload_running
from relay.up.state import UpState, read_state, write_state


def test_one_that_died_and_was_started_again_has_not_reloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die_and_start_again(*_: object) -> None:
        write_state(tmp_path, UpState(pid=1, start="second", version="2"))

    monkeypatch.setattr(os, "kill", die_and_start_again)
    folder = LockedFolder(tmp_path)
    folder.write_environ({"REDIS_URL": "redis://127.0.0.1"})
    write_state(tmp_path, UpState(pid=1, start="first", version="1", reloads=3))
    try:
        with pytest.raises(RelayError, match="`relay up` ended at the reload"):
            reload_running(tmp_path)
    finally:
        folder.release()


def test_a_state_that_another_version_wrote_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"pid": 1}')
    assert read_state(tmp_path) is None
