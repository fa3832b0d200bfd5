"""The runs of all faults, in a file for programs and as a table for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from relay.model import Record
from tests.bench.report import replace_between
from tests.chaos.faults import FAULTS
from tests.chaos.run import RunResult

BEGIN: Final = "<!-- chaos begins -->\n"  # around the table in a page
END: Final = "<!-- chaos ends -->\n"
COLUMNS: Final = (
    *("fault", "runs", "acknowledged", "delivered", "left to people", "lost", "doubled", "unexplained", "stuck"),
    "last one after the fault, median and worst",
)


class FoundOfFault(Record):
    """What came of the runs of a fault, of one commit."""

    commit: str
    runs: Sequence[RunResult]


Found = Mapping[str, FoundOfFault]  # by the names of the faults


def read_found(file: Path) -> Found:
    """Read the runs of all faults that there are; of one that was given up it reads nothing."""
    found = msgspec.json.decode(file.read_bytes(), type=dict[str, FoundOfFault])
    return {name: found[name] for name in FAULTS if name in found}


def write_found(file: Path, found: Found) -> None:
    """Write them, in the order of the faults."""
    in_order = {name: found[name] for name in FAULTS if name in found}
    file.write_bytes(msgspec.json.format(msgspec.json.encode(in_order), indent=1) + b"\n")


def replace_table(page: Path, found: Found) -> None:
    """Write the table into a page, between its marks."""
    replace_between(page, BEGIN, format_page(found), END)


def format_page(found: Found) -> str:
    """Return the table, and of which commits its runs are."""
    commits = ", ".join(f"`{commit}`" for commit in dict.fromkeys(of_fault.commit for of_fault in found.values()))
    return f"Made by `make chaos` of commit {commits}.\n\n{format_table(found)}"


def format_table(found: Found) -> str:
    """Return the table in Markdown, a line for each fault and one for all."""
    lines = [_line(name, found[name].runs) for name in FAULTS if name in found]
    head = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    every = [run for of_fault in found.values() for run in of_fault.runs]
    return "\n".join([*head, *lines, _line("**all**", every)]) + "\n"


def _line(name: str, results: Sequence[RunResult]) -> str:
    def total(of: str) -> int:
        return sum(getattr(result, of) for result in results)

    seconds = [result.last_seconds for result in results]
    counts = [total(of) for of in ("acknowledged", "delivered", "by_people", "lost", "doubled", "unexplained", "stuck")]
    cells = [name, len(results), *(f"{count:,}" for count in counts), f"{median(seconds):.1f} s, {max(seconds):.1f} s"]
    return f"| {' | '.join(map(str, cells))} |"
