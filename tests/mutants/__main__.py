"""Break copies of the project on purpose, and see that tests notice: `python -m tests.mutants`.

Each mutant lacks one thing that the promises rest on. Ends with 1 where one of them passes its tests.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("relay", "workers", "tests", "config", "pyproject.toml")
LUA: Final = "relay/store/lua/"
STORE_TESTS: Final = "tests/integration/store/"


class Mutant(NamedTuple):
    """A copy in which a text of a file is replaced, and the tests that must fail there."""

    name: str
    file: str
    right: str
    wrong: str
    tests: str


MUTANTS: Final = (
    Mutant(
        "without fencing: any token settles",
        LUA + "_settling.lua",
        "local holds_lease = pending and token == item[TOKEN]",
        "local holds_lease = pending",
        STORE_TESTS + "test_settle.py",
    ),
    Mutant(
        "without leases: what is taken stays due",
        LUA + "_claiming.lua",
        "call('ZREM', due, unpack(ids))",
        "",
        STORE_TESTS + "test_claim.py",
    ),
    Mutant(
        "the bell deleted last",
        "workers/process.py",
        "        self._clear_bell(queue)\n        self._loop.call_soon_threadsafe(self._start_queue, queue)\n",
        "        self._loop.call_soon_threadsafe(self._start_queue, queue)\n        self._clear_bell(queue)\n",
        "tests/unit/test_bell_order.py",
    ),
    Mutant(
        "the duplicate mark first",
        LUA + "accept.lua",
        "  local record = P .. 'r:' .. id\n  call('SET', P .. 'b:'",
        "  local record = P .. 'r:' .. id\n"
        "  call('SET', key, id .. ' ' .. request_id .. '\\n', 'PX', req.duplicate_ms)\n  call('SET', P .. 'b:'",
        STORE_TESTS + "test_accept.py",
    ),
    Mutant(
        "settle does not write",
        LUA + "_settling.lua",
        "  call('HSET', record, unpack(fields))\n",
        "",
        STORE_TESTS + "test_settle.py",
    ),
)


def first_failure(mutant: Mutant, folder: Path) -> str:
    """Return the test that fails first in a copy; empty where none does."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    path = folder / mutant.file
    text = path.read_text()
    if text.count(mutant.right) != 1:
        raise SystemExit(f"{mutant.file} does not have the text that {mutant.name!r} replaces: write it anew")
    path.write_text(text.replace(mutant.right, mutant.wrong))
    command = [sys.executable, "-m", "pytest", "-n0", "-x", "-q", "--no-header", "-p", "no:cacheprovider", mutant.tests]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=600
    )
    found = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    if done.returncode > 1:
        raise SystemExit(f"the tests of {mutant.name!r} did not run:\n{done.stdout}{done.stderr}")
    return found[0] if found else ""


def main() -> int:
    """Print a table of the mutants and what caught each."""
    print("| mutant | caught by |\n|---|---|")
    passed = 0
    for mutant in MUTANTS:
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            caught = first_failure(mutant, Path(folder))
        passed += not caught
        print(f"| {mutant.name} | {f'`{caught}`' if caught else '**nothing**'} |", flush=True)
    return 1 if passed else 0


if __name__ == "__main__":
    sys.exit(main())
