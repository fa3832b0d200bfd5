"""Write the figures to where the project tells them: the README, `relay capacity`, and the page that shows it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.bench.report import Found, replace_between, replace_figures

ROOT: Final = Path(__file__).parents[2]
FIGURES: Final = Path("relay/operations/bench_figures.py")
EXAMPLE: Final = ("capacity", "50000", "--deliveries", "2")
EXAMPLE_BEGIN, EXAMPLE_END = f"$ relay {' '.join(EXAMPLE)}\n", "…\n"  # around what it prints, in the page
NEEDED: Final = frozenset({"ingest", "deliver", "memory"})

_MODULE = '''\
"""What the bench has measured: one process on a core of its own, and bytes in the store.

Written by `python -m tests.bench --publish`, of docs/bench.json.
"""

from typing import Final

HOOKS_A_SECOND: Final = {hooks:_}
DELIVERIES_A_SECOND: Final = {deliveries:_}
WAITING_BYTES: Final = {waiting:_}
DELIVERED_BYTES: Final = {delivered:_}
'''


def publish(found: Found, root: Path = ROOT) -> None:
    """Write the figures wherever they stand in the project."""
    replace_figures(root / "README.md", found)
    (root / FIGURES).write_text(format_module(found))
    replace_between(root / "docs" / "operations.md", EXAMPLE_BEGIN, _run_example(root), EXAMPLE_END)


def format_module(found: Found) -> str:
    """Return the module that `relay capacity` reads."""
    memory = found["memory"]
    return _MODULE.format(
        hooks=_rate(found["ingest"]),
        deliveries=_rate(found["deliver"]),
        waiting=memory["bytes_per_event_with_waiting_delivery"],
        delivered=memory["bytes_per_delivered_event"],
    )


def _rate(part: Found) -> int:
    return round(part["contenders"]["relay"]["per_second"])


def _run_example(root: Path) -> str:
    """Return what the command says now, without its lines about sinks: those are of the configuration at hand."""
    command = [sys.executable, "-m", "relay", *EXAMPLE]
    environment = {**os.environ, "PYTHONPATH": str(root), "RELAY_CONFIG": str(root / "config" / "relay.yaml")}
    said = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout
    return "".join(line for line in said.splitlines(keepends=True) if not line.startswith("sink "))
