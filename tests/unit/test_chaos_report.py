"""The table of the faults tells the runs of the file, of each fault those that were made last."""

from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.chaos.report import BEGIN, END, FoundOfFault, format_page, read_found, replace_table, write_found
from tests.chaos.run import RunResult

ROOT = Path(__file__).parents[2]
OTHER, ONE, *_ = FAULTS


def found_of(fault: str, commit: str, *seconds: float) -> FoundOfFault:
    runs = [RunResult(fault=fault, seed=n, acknowledged=500, delivered=499, by_people=1, last_seconds=one)
            for n, one in enumerate(seconds)]  # fmt: skip
    return FoundOfFault(commit=commit, runs=runs)


def test_each_fault_is_a_row_in_their_order_and_all_commits_are_named(tmp_path: Path) -> None:
    file = tmp_path / "runs.json"
    write_found(file, {ONE: found_of(ONE, "abc", 1.0, 4.0), OTHER: found_of(OTHER, "def", 2.0)})
    told, _, _, _, first, second, all = format_page(read_found(file)).splitlines()
    assert told == "Made by `make chaos` of commit `def`, `abc`."
    assert first == f"| {OTHER} | 1 | 500 | 499 | 1 | 0 | 0 | 0 | 0 | 2.0 s, 2.0 s |"
    assert second == f"| {ONE} | 2 | 1,000 | 998 | 2 | 0 | 0 | 0 | 0 | 2.5 s, 4.0 s |"
    assert all == "| **all** | 3 | 1,500 | 1,497 | 3 | 0 | 0 | 0 | 0 | 2.0 s, 4.0 s |"


def test_only_the_table_of_a_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    replace_table(page, {ONE: found_of(ONE, "abc", 1.0)})
    assert page.read_text().startswith(f"before\n{BEGIN}Made by")
    assert page.read_text().endswith(f"{END}after\n")


def test_the_page_tells_the_runs_of_the_file_which_has_every_fault() -> None:
    found = read_found(ROOT / "docs" / "reliability.json")
    assert f"{BEGIN}{format_page(found)}{END}" in (ROOT / "docs" / "reliability.md").read_text()
    assert list(found) == list(FAULTS)
    assert all(run.good for of_fault in found.values() for run in of_fault.runs)
