"""Break copies of the project on purpose, and see that tests notice: `python -m tests.mutants [--markdown FILE]`.

Each mutant lacks one thing that the promises rest on. Ends with 1 where one of them passes one of its tests.
"""

import argparse
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
MODEL: Final = STORE_TESTS + "test_model.py"
BEGIN, END = "<!-- mutants begin -->\n", "<!-- mutants end -->\n"  # around the table in a page


class Mutant(NamedTuple):
    """A copy in which a text of a file is replaced, and the files of tests of which each must fail there."""

    name: str
    file: str
    right: str
    wrong: str
    tests: tuple[str, ...]


MUTANTS: Final = (
    Mutant(
        "without fencing: any token settles",
        LUA + "_settling.lua",
        "local holds_lease = pending and token == item[TOKEN]",
        "local holds_lease = pending",
        (STORE_TESTS + "test_settle.py", MODEL),
    ),
    Mutant(
        "without leases: what is taken stays due",
        LUA + "_claiming.lua",
        "call('ZREM', due, unpack(ids))",
        "",
        (STORE_TESTS + "test_claim.py", MODEL),
    ),
    Mutant(
        "the bell deleted last",
        "workers/shard_work.py",
        "        try:\n            await self.store.clear_bell(queue)\n",
        "        self.start_queue(queue)\n        try:\n            await self.store.clear_bell(queue)\n",
        ("tests/unit/test_bell_order.py",),
    ),
    Mutant(
        "a wake-up that nobody takes counts",
        LUA + "_prelude.lua",
        "type(taken) == 'number' and taken > 0",
        "type(taken) == 'number'",
        (STORE_TESTS + "test_wake_ups.py", MODEL),
    ),
    Mutant(
        "the duplicate mark first",
        LUA + "accept.lua",
        "  local record = P .. 'r:' .. id\n  call('SET', P .. 'b:'",
        "  local record = P .. 'r:' .. id\n"
        "  call('SET', key, id .. ' ' .. request_id .. '\\n', 'PX', req.duplicate_ms)\n  call('SET', P .. 'b:'",
        (STORE_TESTS + "test_accept.py",),
    ),
    Mutant(
        "a fact is told twice",
        LUA + "_facts.lua",
        "  for _, fact in ipairs(facts) do\n",
        "  for i = 1, #facts do facts[#facts + 1] = facts[i].kind == 'delivery_dead' and facts[i] or nil end\n"
        "  for _, fact in ipairs(facts) do\n",
        ("tests/integration/test_facts.py", MODEL),
    ),
    Mutant(
        "what is delivered leads to no fact",
        LUA + "_settling.lua",
        "      note_delivered(id, state_now)\n      note_gates(gate, item)\n",
        "      note_gates(gate, item)\n",
        ("tests/integration/test_chains.py", MODEL),
    ),
    Mutant(
        "settle does not write",
        LUA + "_settling.lua",
        "  call('HSET', record, unpack(fields))\n",
        "",
        (STORE_TESTS + "test_settle.py", MODEL),
    ),
)


def copy_project(folder: Path) -> None:
    """Copy the project into a folder, unbroken."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)


def break_copy(mutant: Mutant, folder: Path) -> None:
    """Break a copy."""
    path = folder / mutant.file
    text = path.read_text()
    if text.count(mutant.right) != 1:
        raise SystemExit(f"{mutant.file} does not have the text that {mutant.name!r} replaces: write it anew")
    path.write_text(text.replace(mutant.right, mutant.wrong))


def first_failure(folder: Path, tests: str) -> str:
    """Return the test that fails first in a copy; empty where none does."""
    command = [sys.executable, "-m", "pytest", "-n0", "-x", "-q", "--no-header", "-p", "no:cacheprovider", tests]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    found = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    if done.returncode > 1:
        raise SystemExit(f"{tests} did not run:\n{done.stdout}{done.stderr}")
    return found[0] if found else ""


def main() -> int:
    """Print a table of the mutants and what caught each; write it into a page, too, where one is given."""
    parser = argparse.ArgumentParser(description="See that tests notice what is broken on purpose.")
    parser.add_argument("--markdown", type=Path, help="a page, of which the table is replaced")
    page = parser.parse_args().markdown
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy_project(Path(folder))
        failed = [first_failure(Path(folder), tests) for tests in sorted({t for one in MUTANTS for t in one.tests})]
        if any(failed):
            raise SystemExit(f"nothing is broken, and yet this fails: {' '.join(filter(None, failed))}")
    lines, passed = ["| mutant | caught by |", "|---|---|"], 0
    for mutant in MUTANTS:
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            copy_project(Path(folder))
            break_copy(mutant, Path(folder))
            caught = [first_failure(Path(folder), tests) for tests in mutant.tests]
        passed += not all(caught)
        by = [f"`{test.removeprefix('tests/')}`" if test else f"**not** by {tests}"
              for test, tests in zip(caught, mutant.tests, strict=True)]  # fmt: skip
        lines.append(f"| {mutant.name} | {', '.join(by)} |")
        print(lines[-1], flush=True)
    if page:
        commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True).strip()
        before, _, rest = page.read_text().partition(BEGIN)
        table = "\n".join([f"Made by `make mutants` of commit {commit}.", "", *lines])
        page.write_text(f"{before}{BEGIN}{table}\n{END}{rest.partition(END)[2]}")
    return 1 if passed else 0


if __name__ == "__main__":
    sys.exit(main())
