"""Try to break it: `python -m tests.chaos [--runs 2] [--seed 1] [--only WORD] [--json FILE] [--markdown FILE]`.

Bounded and on loopback. Each run sends 500 hooks and does something to the relay meanwhile; the receivers' log says
whether all arrived. A run that fails prints its fault and seed, by which it is repeated; then the status is 1.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.chaos.faults import FAULTS
from tests.chaos.report import format_table
from tests.chaos.run import RunResult, relay_under_test, run_fault

BEGIN, END = "<!-- chaos begins -->\n", "<!-- chaos ends -->\n"  # around the table in a page


def main() -> int:
    """Run, and write the table."""
    given = _arguments()
    results: list[RunResult] = []
    for fault in (name for name in FAULTS if given.only in name):
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder, relay_under_test(Path(folder)) as processes:
            for number in range(given.runs):
                result = run_fault(processes, fault, given.seed + number, number)
                results.append(result)
                print(f"{'good' if result.good else 'BAD '} {msgspec.json.encode(result).decode()}", flush=True)
                if not result.good:
                    print(
                        f"     again: python -m tests.chaos --only {fault!r} --seed {result.seed} --runs 1", flush=True
                    )
    table = format_table(results)
    print(table)
    if given.markdown:
        before, _, rest = given.markdown.read_text().partition(BEGIN)
        made = f"Made by `make chaos` of commit {_commit()}.\n\n{table}"
        given.markdown.write_text(f"{before}{BEGIN}{made}{END}{rest.partition(END)[2]}")
    if given.json:
        data = {"commit": _commit(), "runs": results}
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(data), indent=1))
    return 0 if all(result.good for result in results) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--runs", type=int, default=2, help="of each fault")
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
