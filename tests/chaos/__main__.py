"""Try to break it: `python -m tests.chaos`; `--help` tells what may be given.

Bounded and on loopback. Each run sends 500 hooks and does something to the relay meanwhile; the receivers' log says
whether all arrived. A run that fails prints its fault and seed, by which it is repeated; then the status is 1.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import msgspec

from tests.chaos.faults import FAULTS
from tests.chaos.relay_under_test import on_a_small_disk
from tests.chaos.report import format_table
from tests.chaos.run import RunResult
from tests.chaos.series import run_often

BEGIN, END = "<!-- chaos begins -->\n", "<!-- chaos ends -->\n"  # around the table in a page
FEW = 3  # so many times fewer runs of what takes minutes


def main() -> int:
    """Run, and write the table."""
    given = _arguments()
    commit, faults = _commit(), [name for name in FAULTS if given.only in name and _can_be_done(name)]
    longest_first = sorted(faults, key=lambda name: not FAULTS[name].minutes)
    by_fault: dict[str, list[RunResult]] = {}
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(run_often, name, _runs(name, given.runs), given.seed): name for name in longest_first}
        for future in as_completed(futures):
            by_fault[futures[future]] = future.result()
    results = [result for name in faults for result in by_fault[name]]
    table = format_table(results)
    print(table)
    if given.markdown:
        before, _, rest = given.markdown.read_text().partition(BEGIN)
        made = f"Made by `make chaos` of commit {commit}.\n\n{table}"
        given.markdown.write_text(f"{before}{BEGIN}{made}{END}{rest.partition(END)[2]}")
    if given.json:
        data = {"commit": commit, "runs": results}
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(data), indent=1))
    return 0 if all(result.good for result in results) else 1


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
    parser.add_argument("--only", default="", help="faults in whose name this is")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path, help="a page, of which the table is replaced")
    return parser.parse_args()


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
