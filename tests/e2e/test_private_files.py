"""What a relay keeps on this machine is its user's alone: hooks, people's names, tokens, the way to the store."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import TOKEN, run_relay

CONFIG = f"""
sources:
  acme: {{type: amocrm, token: {TOKEN}}}
sinks:
  console: {{type: log}}
routes: []
"""


@pytest.fixture
def generous() -> Iterator[None]:
    """Give what is made without a word about it to everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("generous")
@pytest.mark.parametrize("left", [False, True], ids=["a new folder", "one that an earlier relay left open to all"])
def test_nobody_else_reads_what_a_relay_keeps(tmp_path: Path, left: bool) -> None:
    folder = tmp_path / "relay"
    if left:
        for path in (folder / "logs", folder / "store" / "appendonlydir"):
            path.mkdir(parents=True, mode=0o777)
        for path in (folder / "logs" / "web.log", folder / "logs" / "worker.log.1", folder / "store" / "store.log"):
            path.touch(0o666)
    with run_relay(tmp_path, CONFIG):
        found = {path.relative_to(tmp_path): path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    names = {path.name for path in found}
    assert {"running.json", "lock", "web.log", "worker.log", "store.log", "appendonlydir", "store.sock"} <= names
    open_to_others = {
        str(path): oct(mode)
        for path, mode in found.items()
        if stat.S_IMODE(mode) != (0o700 if stat.S_ISDIR(mode) or stat.S_ISSOCK(mode) else 0o600)
    }
    assert not open_to_others
