"""The page tells the figures of the file, names how each cost grows, and leaves no growth without a reason."""

import json
from pathlib import Path

import pytest

from tests.bench.growth.day import needs
from tests.bench.growth.reasons import COSTS, REASONS
from tests.bench.growth.report import BEGIN, END, format_growth, number, replace_growth, unexplained
from tests.bench.growth.steps import PARTS
from tests.bench.growth.traffic import TrafficHook

ROOT = Path(__file__).parents[2]
MACHINE = {"cores": 2, "cpu": "chip", "commit": "abc"}


def found(**costs: list[float]) -> dict[str, object]:
    steps = [dict(zip(costs, values, strict=True)) for values in zip(*costs.values(), strict=True)]
    part = {"commit": "abc", "counts": [1, 10, 100, 1000], "costs": steps}
    return {"machine": MACHINE, "parts": {"routes": part}}


def test_each_cost_is_a_row_with_its_steps_and_its_law() -> None:
    text = format_growth(found(commands=[19.5, 19.2, 19.4, 19.6], load_ms=[5, 35, 350, 3500.0]))
    title = "routes for one event: 1, 10, 100, 1,000"
    assert f"| {title} | store commands a hook | 19.5, 19.2, 19.4, 19.6 | constant |" in text
    assert f"| {title} | reading the file, ms of CPU | 5, 35, 350, 3,500 | **linear**: 3.50 for a route |" in text
    assert "- **routes for one event** (reading the file, ms of CPU): Each route is checked" in text
    assert text.startswith("Measured on 2 cores (chip) at commit `abc`.\n")


def test_what_grows_without_a_reason_is_said_to_be_unexplained() -> None:
    grown = found(plan_us=[10.0, 20, 30, 40])
    assert unexplained(grown) == ["routes: plan_us is logarithmic"]
    assert "**unexplained**" in format_growth(grown)


def test_reasons_are_of_parts_and_costs_that_there_are() -> None:
    assert REASONS.keys() == PARTS.keys()
    assert {cost for of in REASONS.values() for cost in of} <= COSTS.keys()


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (19.54, "19.5"), (0.237, "0.24"), (0.01234, "0.012"), (7, "7"), (0, "0")]
)
def test_numbers_have_the_digits_that_matter(value: float, text: str) -> None:
    assert number(value) == text


def test_a_day_needs_what_its_busiest_minute_uses_twice_and_the_memory_of_what_is_not_packed_yet() -> None:
    hooks = [TrafficHook(second, 0, "lead_add") for second in (0, 1, 2, 40_000, 80_000)]
    busy = {"workers_cores": 0.6, "web_cores": 0.1, "web_cpu_us": 1e6, "workers_cpu_us": 1e6, "store_cpu_us": 1.6e6}
    assert needs(hooks, busy, {"stored": 2e6, "packed": 1e6}) == {
        "store_mb_a_day": 8.0,  # three of them wait to be packed
        "store_mb_a_further_day": 5.0,
        "workers": 2,
        "webs": 1,
        "cpu_hours_a_day": 0.01,
    }


def test_each_kind_of_call_is_a_row() -> None:
    row = {"what": "100 hooks are accepted", "calls": 10, "commands": 310, "cpu_ms": 2.5}
    times = {"least_ms": 1.25, "median_ms": 1.5, "longest_ms": 12.0}
    calls = {"commit": "def", "waiting": 100_000, "rows": [{**row, **times}]}
    text = format_growth({**found(commands=[1.0, 1, 1, 1]), "calls": calls})
    assert "At commit `def`, where 100,000 deliveries wait." in text
    assert "| 100 hooks are accepted | 10 | 310 | 2.50 | 1.25 / 1.50 / 12 |" in text


def test_only_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    replace_growth(page, found(commands=[1.0, 1, 1, 1]))
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}Measured on 2 cores")
    assert text.endswith(f"{END}after\n")
    assert "old" not in text


def test_the_page_tells_the_figures_of_the_file_and_each_growth_has_a_reason() -> None:
    figures = json.loads((ROOT / "docs" / "growth.json").read_text())
    assert f"{BEGIN}{format_growth(figures)}{END}" in (ROOT / "docs" / "growth.md").read_text()
    assert unexplained(figures) == []
    assert figures["parts"].keys() == PARTS.keys()
    assert figures.keys() >= {"day", "calls"}
