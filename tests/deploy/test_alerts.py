"""The alerts that docs/operations.md names are rules, and every metric of them is one that the relay has."""

import re

import pytest
import yaml

from tests.deploy.alert_rules import alert_rules, is_simple
from tests.deploy.programs import DEPLOY, PROJECT
from tests.e2e.test_metrics import named_in_docs

PAGE = (PROJECT / "docs" / "operations.md").read_text()
OVER_TIME = {"RelayDeadLettersExpired", "RelayQuarantined", "RelayConfigurationsDiffer"}
OF_PROMETHEUS = {"RelayUnreachable", *OVER_TIME}  # its own metric, and over time


def test_the_page_names_every_rule_and_no_other() -> None:
    cells = re.findall(r"^\| (Relay[^|]+) \|", PAGE, re.MULTILINE)
    assert {name for cell in cells for name in cell.split(", ")} == set(alert_rules())


@pytest.mark.parametrize("rule", alert_rules().values(), ids=alert_rules())
def test_a_rule_is_about_metrics_that_there_are(rule: dict[str, str]) -> None:
    metrics = set(re.findall(r"relay_\w+", rule["expr"]))
    assert metrics <= named_in_docs()
    assert metrics or rule["expr"].startswith("up{")
    assert is_simple(rule["expr"]) == (rule["alert"] not in OF_PROMETHEUS)
    assert rule["annotations"]["summary"]


def test_prometheus_reads_the_rules() -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert settings["rule_files"] == ["alerts.yml"]
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert "./prometheus:/etc/prometheus:ro" in compose["services"]["prometheus"]["volumes"]
