"""Logs stay bounded, and their writers need not know."""

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import IO

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


FULL_DISK = OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_costs_no_old_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy_in_part(log: IO[bytes], old: IO[bytes]) -> None:
        old.write(log.read(4))
        raise FULL_DISK

    monkeypatch.setattr(log_files, "MAX_BYTES", 9)
    monkeypatch.setattr(shutil, "copyfileobj", copy_in_part)
    before = write_logs(tmp_path)
    for _ in range(OLD_FILES + 1):
        LogFiles(tmp_path).rotate()
    assert read_logs(tmp_path) == before


def test_where_there_is_no_room_for_a_copy_none_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(*_: object) -> None:
        raise AssertionError("what is left of the disk is the store's")

    monkeypatch.setattr(log_files, "MAX_BYTES", 9)
    monkeypatch.setattr(shutil, "copyfileobj", copy)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5))
    before = write_logs(tmp_path)
    LogFiles(tmp_path).rotate()
    assert read_logs(tmp_path) == before


def test_a_log_that_cannot_be_put_aside_keeps_its_old_ones_and_no_other_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "MAX_BYTES", 9)
    write_logs(tmp_path)
    bad = tmp_path / "bad.log"  # a folder is as little to be copied as a file that only root may write to
    bad.mkdir()
    for number in range(20):
        (bad / f"a file with a long name {number}").touch()
    (tmp_path / "bad.log.1").write_text("old")
    LogFiles(tmp_path, tmp_path / "elsewhere.log").rotate()
    assert bad.is_dir()
    assert (tmp_path / "bad.log.1").read_text() == "old"
    assert (tmp_path / "web.log").read_text() == ""
    assert (tmp_path / "web.log.1").read_text() == "a long line"


def write_logs(folder: Path) -> dict[str, str]:
    """Write a log that is too long, and its old ones."""
    (folder / "web.log").write_text("a long line")
    for number in range(1, OLD_FILES + 1):
        (folder / f"web.log.{number}").write_text(f"old {number}")
    return read_logs(folder)


def read_logs(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}
