"""The recipes of docs/cookbook.md are files that do what the page says, and the page quotes these files."""

import re
from pathlib import Path

import pytest

from relay.cases.load import CaseLoader, case_files
from relay.cases.run import run_cases
from relay.config.load import load_file
from relay.sinks.registry import sink_types

ROOT = Path(__file__).parents[3]
RECIPES = sorted((ROOT / "config/examples/cookbook").glob("*.yaml"))
PAGE = (ROOT / "docs/cookbook.md").read_text()
QUOTED = dict(re.findall(r"^<!-- from: (\S+) -->\n```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
VARIABLES = {"RELAY_SECRET_KEY": "in-cases"}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_does_what_its_cases_say_and_every_route_has_one(recipe: Path) -> None:
    loader = CaseLoader(str(recipe), VARIABLES, sink_types())
    report = run_cases(loader.load([recipe.parent / "cases" / recipe.name]))
    assert [(case.name, case.differences) for case in report.cases if not case.passed] == []
    assert report.untested == []


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_fit_for_production(recipe: Path) -> None:
    variables = dict.fromkeys(re.findall(r"\$\{(\w+)\}", recipe.read_text()), "a-secret-for-the-test")
    assert load_file(str(recipe), environ={**variables, **VARIABLES}, sink_types=sink_types()).findings == ()


def test_the_page_quotes_every_recipe_as_it_is() -> None:
    files = {str(path.relative_to(ROOT)): path.read_text() for path in RECIPES}
    assert len(files) >= 15
    assert QUOTED.keys() == files.keys()
    assert {name: text for name, text in QUOTED.items() if not files[name].endswith(f"\n{text}")} == {}
    assert PAGE.count("```yaml") == len(QUOTED)


def test_the_page_lists_what_is_on_it() -> None:
    titles = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert re.findall(r"^- \[(.+)\]\(#[\w-]+\)$", PAGE, re.MULTILINE) == titles


def test_the_default_configuration_does_what_its_cases_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    loader = CaseLoader("config/relay.yaml", {}, sink_types())
    report = run_cases(loader.load(case_files("config/relay.yaml")))
    assert [(case.name, case.differences) for case in report.cases if not case.passed] == []
    assert report.untested == []
