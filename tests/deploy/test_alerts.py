"""The alerts that docs/operations.md names are rules, each about metrics that there are; promtool fires every one."""

import re

import pytest
import yaml

from tests.deploy.alert_rules import alert_rules, is_simple
from tests.deploy.anchors import anchors
from tests.deploy.programs import DEPLOY, PROJECT, program, run
from tests.e2e.test_metrics import named_in_docs

PAGE = (PROJECT / "docs" / "operations.md").read_text()
RULES = DEPLOY / "prometheus" / "alerts.yml"
UNIT_TESTS = PROJECT / "tests" / "deploy" / "alerts.test.yml"
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


@pytest.mark.parametrize("rule", alert_rules().values(), ids=alert_rules())
def test_a_rule_names_the_section_that_says_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert page == "docs/operations.md"
    assert anchor in anchors(PAGE)


def test_every_rule_fires_and_is_silent_before() -> None:
    checked = run([program("promtool"), "test", "rules", UNIT_TESTS])
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tests = yaml.safe_load(UNIT_TESTS.read_text())["tests"]
    assert {one["name"] for one in tests} == set(alert_rules())
    for one in tests:
        silent, fires = one["alert_rule_test"]
        assert (silent["alertname"], fires["alertname"]) == (one["name"], one["name"])
        assert ("exp_alerts" in silent, len(fires["exp_alerts"])) == (False, 1)


def test_prometheus_reads_the_rules() -> None:
    checked = run([program("promtool"), "check", "rules", RULES])
    assert (checked.returncode, checked.stderr) == (0, "")
    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert settings["rule_files"] == ["alerts.yml"]
    syntax = run([program("promtool"), "check", "config", "--syntax-only", DEPLOY / "prometheus" / "prometheus.yml"])
    assert syntax.returncode == 0, syntax.stdout + syntax.stderr
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert "./prometheus:/etc/prometheus:ro" in compose["services"]["prometheus"]["volumes"]
