"""The bench's figures stand in several places of the project, and one command writes them into all of them."""

import json
import sys
from pathlib import Path

import pytest

from relay.cli.capacity import _lines
from relay.config.load import load_file
from relay.operations.capacity import plan_capacity
from relay.sinks.registry import sink_types
from tests.bench import __main__ as bench
from tests.bench import publishing
from tests.bench.publishing import EXAMPLE_BEGIN, EXAMPLE_END, FIGURES, format_module, publish
from tests.bench.report import BEGIN, END

ROOT = Path(__file__).parents[2]
FOUND = json.loads((ROOT / "docs" / "bench.json").read_text())
MACHINE = {"cpu": "chip", "cores": 2, "commit": "abc"}


def test_the_figures_of_the_command_are_those_of_the_bench():
    assert (ROOT / FIGURES).read_text() == format_module(FOUND)


def test_the_page_shows_what_the_command_says():
    config = load_file(str(ROOT / "config" / "relay.yaml"), environ={}, sink_types=sink_types())
    says = [line for line in _lines(plan_capacity(50_000, 2.0, config), 100_000) if not line.startswith("sink ")]
    shown = (ROOT / "docs" / "operations.md").read_text().partition(EXAMPLE_BEGIN)[2].partition(EXAMPLE_END)[0]
    assert shown.splitlines() == says


def test_they_are_written_into_every_place(tmp_path, monkeypatch):
    (tmp_path / FIGURES).parent.mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"before\n{BEGIN}old\n{END}after\n")
    (tmp_path / "docs" / "operations.md").write_text(f"before\n{EXAMPLE_BEGIN}old\n{EXAMPLE_END}after\n")
    monkeypatch.setattr(publishing, "_run_example", lambda _: "it takes 5 a second\n")
    rows = FOUND["ingest"]["contenders"] | {"relay": FOUND["ingest"]["contenders"]["relay"] | {"per_second": 5.4}}
    publish(FOUND | {"ingest": FOUND["ingest"] | {"contenders": rows}}, tmp_path)
    assert "HOOKS_A_SECOND: Final = 5\n" in (tmp_path / FIGURES).read_text()
    assert "each on disk before its 202 | 5 |" in (tmp_path / "README.md").read_text()
    page = (tmp_path / "docs" / "operations.md").read_text()
    assert page == f"before\n{EXAMPLE_BEGIN}it takes 5 a second\n{EXAMPLE_END}after\n"


class TestWhatIsMeasured:
    @pytest.fixture
    def asked(self, tmp_path, monkeypatch):
        """Run the bench with some options, all of whose parts are measured at once; return what it published."""
        published = []
        monkeypatch.setattr(bench, "publish", published.append)
        monkeypatch.setattr(bench, "_table", lambda _: None)
        monkeypatch.setattr(bench, "_measure", lambda asked, _: dict.fromkeys(asked.parts, "new"))
        earlier, written = tmp_path / "earlier.json", tmp_path / "bench.json"
        earlier.write_text(json.dumps({"ingest": "old", "deliver": "old", "memory": "old"}))

        def ask(*options):
            monkeypatch.setattr(sys, "argv", ["bench", *(str(earlier) if one == "EARLIER" else one for one in options)])
            monkeypatch.chdir(tmp_path)
            bench.main()
            return published[-1] if published else json.loads(written.read_text())

        return ask

    def test_the_parts_that_are_named_and_the_others_stay_as_they_were(self, asked):
        assert asked("memory", "--read", "EARLIER", "--publish") == {
            "ingest": "old",
            "deliver": "old",
            "memory": "new",
        }

    def test_nothing_where_earlier_figures_are_only_to_be_published(self, asked):
        assert set(asked("--read", "EARLIER", "--publish").values()) == {"old"}

    def test_everything_where_nothing_is_named(self, asked):
        assert asked() == dict.fromkeys(bench.PARTS, "new")

    def test_a_page_is_not_written_without_the_parts_that_it_needs(self, asked, capsys):
        with pytest.raises(SystemExit):
            asked("ingest", "--publish")
        assert "needs deliver, memory" in capsys.readouterr().err

    def test_figures_of_two_machines_do_not_stand_together(self):
        bench._check_same_machine(MACHINE, {})
        bench._check_same_machine(MACHINE, {"machine": MACHINE | {"kernel": "6.1"}})
        with pytest.raises(SystemExit, match="another machine"):
            bench._check_same_machine(MACHINE, {"machine": MACHINE | {"cpu": "other"}})
