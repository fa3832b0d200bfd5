"""Child processes of `relay up`: what cannot be started leaves nothing open."""

import asyncio
import os
from pathlib import Path

import pytest

from relay.up.child_processes import Reaper, spawn


def test_a_program_that_cannot_be_started_leaves_no_file_open(tmp_path: Path) -> None:
    async def spawn_in_vain() -> tuple[set[str], set[str]]:
        reaper = Reaper()
        before = open_files()
        for log in (None, tmp_path / "missing" / "worker.log"):
            with pytest.raises(FileNotFoundError):
                spawn("worker", [str(tmp_path / "no program")], {}, (), log, reaper)
        return before, open_files()

    before, after = asyncio.run(spawn_in_vain())
    assert after == before


def open_files() -> set[str]:
    return {name for name in os.listdir("/dev/fd") if Path("/dev/fd", name).exists()}
