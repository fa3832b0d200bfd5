"""The version stands in one place, `relay/__init__.py`; what names one elsewhere names the same."""

import re
import tomllib
from pathlib import Path

import pytest

import relay

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"\bamo[-_]relay(?:[:=-]|==)v?(\d+\.\d+[\w.]*)")
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "deploy").rglob("*.*"))]


def test_the_package_has_it_from_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "relay.__version__"}


def test_the_changelog_begins_with_it() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == relay.__version__


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_images_and_packages_are_named_by_it(file: Path) -> None:
    assert set(NAMED.findall(file.read_text())) <= {relay.__version__}


def test_some_file_names_one() -> None:
    assert any(NAMED.search(file.read_text()) for file in FILES)
