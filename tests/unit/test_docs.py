"""What the pages of docs/ refer to."""

import re
from pathlib import Path

import pytest

from relay.config import environment
from relay.config.schema import SubscribersSection
from relay.durations import parse_duration
from relay.model import DecisionKind, DeliveryState, Outcome, ReceiptState
from relay.sinks.subscriber.retry_rules import RETRY_RULES, amocrm_decision
from relay.store.subscriptions import FAILURES_WITHIN_MS, MOST_FAILURES

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
    read = set(re.findall(r'read\.\w+\("(\w+)"', Path(environment.__file__).read_text())) | {
        environment.SECRET_KEY,
        environment.ADMIN_TOKEN,
        environment.ADMIN_READ_TOKEN,
    }
    assert len(read) > 10
    assert read | {"RELAY_SANDBOX_URL"} <= rows("install.md")


def test_the_retries_of_subscribers_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "subscriptions.md").read_text()
    told = re.findall(r"^\| (\d) \| (\d+) (minute|hour)s? \|", text, re.MULTILINE)
    assert [(int(n), parse_duration(f"{wait}{unit[0]}")) for n, wait, unit in told] == [
        (rule.after, rule.wait_ms) for rule in RETRY_RULES
    ]
    minutes = {404: 20, 410: 20, 503: 95}
    for code, total in minutes.items():
        decisions = [amocrm_decision(code, attempt, "") for attempt in range(1, 6)]
        assert sum(one.delay_ms for one in decisions if one.kind is DecisionKind.RETRY) == total * 60_000
    assert "a 404 is sent three times in 20 minutes, a 503 five times in 95" in text
    settings = SubscribersSection()
    assert f"within **{settings.timeout // 1000} seconds**" in text
    assert f"`concurrency` ({settings.concurrency})" in text
    assert f"more than {MOST_FAILURES} failed calls in {FAILURES_WITHIN_MS // 3_600_000} hours" in text
