"""The table of the runs, for people and for machines."""

from collections.abc import Sequence
from statistics import median

from tests.chaos.run import RunResult

COLUMNS = (
    *("fault", "runs", "acknowledged", "delivered", "left to people", "lost", "doubled", "unexplained", "stuck"),
    "last one after the fault, median and worst",
)


def format_table(results: Sequence[RunResult]) -> str:
    """Return the table in Markdown, a line for each fault and one for all."""
    faults = dict.fromkeys(result.fault for result in results)
    lines = [_line(fault, [one for one in results if one.fault == fault]) for fault in faults]
    head = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    return "\n".join([*head, *lines, _line("**all**", results)]) + "\n"


def _line(name: str, results: Sequence[RunResult]) -> str:
    def total(of: str) -> int:
        return sum(getattr(result, of) for result in results)

    seconds = [result.last_seconds for result in results]
    counts = [total(of) for of in ("acknowledged", "delivered", "by_people", "lost", "doubled", "unexplained", "stuck")]
    cells = [name, len(results), *(f"{count:,}" for count in counts), f"{median(seconds):.1f} s, {max(seconds):.1f} s"]
    return f"| {' | '.join(map(str, cells))} |"
