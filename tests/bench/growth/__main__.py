"""`make bench-growth`: what a hook costs as work grows, and a day of a thousand accounts. `--help` tells the options.

`python -m tests.bench.growth --only routes` measures one part alone.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.__main__ import describe_machine
from tests.bench.growth.calls import measure_calls
from tests.bench.growth.day import measure_day
from tests.bench.growth.report import format_growth, replace_growth
from tests.bench.growth.steps import MILLION, PARTS

DAY, CALLS = "day", "calls"
NAMES = [*PARTS, CALLS, DAY]
WAITING = 100_000  # while calls are measured


def main() -> None:
    asked = _arguments()
    if not asked.read:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended on the way out
        before = json.loads(asked.json.read_text()) if asked.json.exists() else {"parts": {}}
        for found in _measure(asked, before):
            asked.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    found = json.loads(asked.json.read_text())
    sys.stdout.write(format_growth(found))
    if asked.markdown:
        replace_growth(asked.markdown, found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="parts; else all")
    parser.add_argument("--million", action="store_true", help="let up to a million deliveries wait, for some minutes")
    parser.add_argument("--json", type=Path, default=Path("growth.json"), help="where the figures of each part go")
    parser.add_argument("--markdown", type=Path, help="a page, of which the figures are replaced")
    parser.add_argument("--read", action="store_true", help="only write the page from the figures that are there")
    return parser.parse_args()


def _measure(asked: argparse.Namespace, before: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Measure the parts that are asked for, and yield all figures after each.

    Those that are not measured stay as they were, each with its commit.
    """
    found = {**before, "parts": dict(before["parts"])}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        machine = found["machine"] = describe_machine(Path(folder))
        for name in asked.only:
            began, logs = time.monotonic(), Path(folder) / name
            logs.mkdir()
            if name == DAY:
                found[DAY] = {"commit": machine["commit"], **measure_day(logs)}
            elif name == CALLS:
                calls = measure_calls(logs, MILLION if asked.million else WAITING)
                found[CALLS] = {"commit": machine["commit"], **calls}
            else:
                part = PARTS[name]
                counts = [*part.counts, MILLION] if name == "waiting" and asked.million else list(part.counts)
                costs = part.measure(logs, counts)
                found["parts"][name] = {"commit": machine["commit"], "counts": counts, "costs": costs}
            sys.stderr.write(f"{name}: measured in {time.monotonic() - began:.0f} s\n")
            yield {**found, "parts": {name: found["parts"][name] for name in PARTS if name in found["parts"]}}


if __name__ == "__main__":
    main()
