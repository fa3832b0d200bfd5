"""Logs stay bounded, and their writers need not know."""

from pathlib import Path

import pytest

from relay.up import log_files
from relay.up.log_files import OLD_FILES, LogFiles


def test_a_long_log_is_put_aside_and_its_writer_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "MAX_BYTES", 9)
    logs, other = LogFiles(tmp_path, tmp_path / "elsewhere"), tmp_path / "elsewhere"
    with logs.path("worker:2").open("a") as writer:
        for number in range(OLD_FILES + 2):
            writer.write(f"{number}: a line\n")
            writer.flush()
            other.write_text("short")
            logs.rotate()
        writer.write("x\n")
    names = [f"worker.log.{number}" for number in range(1, OLD_FILES + 1)]
    assert {path.name for path in tmp_path.iterdir()} == {"worker.log", *names, "elsewhere"}
    assert [(tmp_path / name).read_text()[0] for name in names] == ["5", "4", "3", "2"]
    assert (tmp_path / "worker.log").read_text() == "x\n"


def test_a_log_that_somebody_else_writes_is_put_aside_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "MAX_BYTES", 10)
    (tmp_path / "store.log").write_text("a long line")
    LogFiles(tmp_path / "logs", tmp_path / "store.log").rotate()
    assert (tmp_path / "store.log").read_text() == ""
    assert (tmp_path / "store.log.1").read_text() == "a long line"
