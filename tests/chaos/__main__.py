"""Try to break it: `python -m tests.chaos`; `--help` tells what may be given.

Bounded and on loopback. Each run sends 500 hooks and does something to the relay meanwhile; the receivers' log says
whether all arrived. A run that fails prints its fault and seed, by which it is repeated; then the status is 1.

The file of `--json` has the runs of every fault, with the commit: those that are not run now stay as they were. It is
written after each fault, so what was found stays where the rest is not waited for.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.chaos.relay_under_test import on_a_small_disk
from tests.chaos.report import Found, FoundOfFault, format_table, read_found, replace_table, write_found
from tests.chaos.series import run_often

FEW = 3  # so many times fewer runs of what takes minutes


def main() -> int:
    """Run, and write the table."""
    asked = _arguments()
    found = read_found(asked.json) if asked.json and asked.json.exists() else {}
    made: Found = {}
    for name, of_fault in _run(asked) if not asked.read else ():
        made[name] = of_fault
        if asked.json:
            write_found(asked.json, {**found, **made})
    found = {**found, **made}
    print(format_table(found if asked.read else made))
    if asked.markdown:
        replace_table(asked.markdown, found)
    return 0 if all(run.good for of_fault in made.values() for run in of_fault.runs) else 1


def _run(asked: argparse.Namespace) -> Iterator[tuple[str, FoundOfFault]]:
    """Yield what came of each fault, in the order in which they end."""
    commit = _commit()
    names = [name for name in FAULTS if any(part in name for part in asked.only) and _can_be_done(name)]
    longest_first = sorted(names, key=lambda name: not FAULTS[name].minutes)
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(run_often, name, _runs(name, asked.runs), asked.seed): name for name in longest_first}
        for future in as_completed(futures):
            yield futures[future], FoundOfFault(commit=commit, runs=future.result())


def _runs(fault: str, runs: int) -> int:
    return max(runs // FEW, 1) if FAULTS[fault].minutes else runs


def _can_be_done(fault: str) -> bool:
    if FAULTS[fault].setting is on_a_small_disk and os.getuid() != 0:
        print(f"left out, it wants root: {fault}", flush=True)
        return False
    return True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--runs", type=int, default=2, help="of each fault")
    parser.add_argument("--jobs", type=int, default=2, help="faults at a time, each with a relay of its own")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=[""], help="faults in whose name one of these is; else all")
    parser.add_argument("--json", type=Path, help="where the runs of each fault go")
    parser.add_argument("--markdown", type=Path, help="a page, of which the table is replaced")
    parser.add_argument("--read", action="store_true", help="only write the page from the runs that are there")
    asked = parser.parse_args()
    if (asked.markdown or asked.read) and not asked.json:
        parser.error("--markdown and --read want the file of the runs: give --json")
    return asked


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
