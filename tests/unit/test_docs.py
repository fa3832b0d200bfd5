"""What the pages of docs/ refer to."""

import re
from pathlib import Path

import pytest

from relay.config import environment
from relay.model import DeliveryState, Outcome, ReceiptState

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
CODE = re.compile(r"`((?:relay|workers|tests|config|docs|deploy)/[\w./-]+)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_files_and_links_of_the_docs_exist(page: Path) -> None:
    text = page.read_text()
    missing = [path for path in CODE.findall(text) if not (ROOT / path).exists()]
    missing += [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert missing == []


def rows(page: str) -> set[str]:
    """Return the words in the first column of a page's tables."""
    cells = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    return {word.strip("` ") for cell in cells for word in cell.split(",")}


def test_every_state_and_outcome_is_explained() -> None:
    assert {*ReceiptState, *DeliveryState} <= rows("operations.md")
    assert set(Outcome) <= rows("sinks.md")


def test_every_variable_is_explained() -> None:
    read = set(re.findall(r'read\.\w+\("(\w+)"', Path(environment.__file__).read_text())) | {environment.SECRET_KEY}
    assert len(read) > 10
    assert read | {"RELAY_SANDBOX_URL"} <= rows("install.md")
