"""Grafana's dashboards: what they ask for exists, PromQL can read it, and every panel says what it shows."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.programs import DEPLOY, program, run
from tests.e2e.test_metrics import rows_in_docs

FOLDER = DEPLOY / "grafana" / "dashboards"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
PANELS = {"row", "stat", "state-timeline", "table", "timeseries"}
UNITS = {"Bps", "bool", "bytes", "cps", "none", "percentunit", "s", "short"}  # of Grafana's own list
COLUMNS = 24
# The keys of Grafana's own schema, of version 10.1: what it does not know it throws away in silence.
KEYS = {
    "dashboard": {
        "annotations", "description", "editable", "fiscalYearStartMonth", "graphTooltip", "id", "links", "liveNow",
        "panels", "refresh", "schemaVersion", "snapshot", "style", "tags", "templating", "time", "timepicker",
        "timezone", "title", "uid", "version", "weekStart",
    },
    "panel": {
        "collapsed", "datasource", "description", "fieldConfig", "gridPos", "id", "interval", "libraryPanel", "links",
        "maxDataPoints", "maxPerRow", "options", "panels", "pluginVersion", "repeat", "repeatDirection", "targets",
        "timeFrom", "timeShift", "title", "transformations", "transparent", "type",
    },
    "target": {
        "datasource", "editorMode", "exemplar", "expr", "format", "hide", "instant", "interval", "intervalFactor",
        "legendFormat", "queryType", "range", "refId",
    },
    "variable": {
        "allValue", "current", "datasource", "description", "hide", "includeAll", "label", "multi", "name", "options",
        "query", "refresh", "regex", "skipUrlSync", "sort", "type",
    },
}  # fmt: skip
OF_HISTOGRAMS = ("_bucket", "_count", "_sum")


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    """Yield every query of a dashboard as Prometheus gets it."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield re.sub(r"\$(sink|source)\b", ".*", target["expr"].replace("$__rate_interval", "5m"))


def asked(expression: str) -> dict[str, set[str]]:
    """Return the metrics that a query names, each with the labels that it chooses by."""
    found: dict[str, set[str]] = {}
    for name, matchers in re.findall(r"\b(relay_\w+)(?:\{([^}]*)\})?", expression):
        plain = next((name.removesuffix(end) for end in OF_HISTOGRAMS if name.endswith(end)), name)
        found.setdefault(plain, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
    return found


def test_there_is_one_for_each_question() -> None:
    assert set(DASHBOARDS) == {"overview", "sinks", "sources", "workers-and-store"}
    assert len({one["uid"] for one in DASHBOARDS.values()}) == len(DASHBOARDS)


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_a_dashboard_has_what_grafana_wants_of_one(dashboard: dict[str, Any]) -> None:
    assert dashboard["schemaVersion"] >= 39
    assert re.fullmatch(r"[\w-]{1,40}", dashboard["uid"])
    assert dashboard["title"].startswith("amo-relay: ")
    assert "id" not in dashboard  # Grafana gives one
    assert {"templating", "time", "panels", "annotations"} <= dashboard.keys()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    cells = [place["gridPos"] for place in dashboard["panels"]]
    assert all(at["x"] >= 0 and at["w"] >= 1 and at["x"] + at["w"] <= COLUMNS and at["h"] >= 1 for at in cells)
    assert not [pair for pair in combinations(cells, 2) if overlap(*pair)]


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_grafana_knows_every_key(dashboard: dict[str, Any]) -> None:
    assert dashboard.keys() <= KEYS["dashboard"]
    of_kinds = {
        "panel": dashboard["panels"],
        "target": [target for panel in panels(dashboard) for target in panel["targets"]],
        "variable": dashboard["templating"]["list"],
    }
    assert [(kind, key) for kind, all in of_kinds.items() for one in all for key in one.keys() - KEYS[kind]] == []


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in ("xw", "yh"))


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_every_panel_has_a_title_a_unit_and_the_chosen_data_source(dashboard: dict[str, Any]) -> None:
    chooser, *variables = dashboard["templating"]["list"]
    assert (chooser["name"], chooser["type"], chooser["query"]) == ("datasource", "datasource", "prometheus")
    assert all(one["datasource"] == SOURCE for one in variables)
    assert {panel["type"] for panel in dashboard["panels"]} <= PANELS
    titles = [panel["title"] for panel in dashboard["panels"]]
    assert all(titles)
    assert len(set(titles)) == len(titles)
    for panel in panels(dashboard):
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["datasource"] == SOURCE
        assert panel["targets"]
        assert all(target["datasource"] == SOURCE for target in panel["targets"])
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_every_query_is_about_metrics_and_labels_that_there_are(dashboard: dict[str, Any], tmp_path: Path) -> None:
    known = rows_in_docs()
    queries = [*expressions(dashboard)]
    for query in queries:
        metrics = asked(query)
        assert metrics
        for name, labels in metrics.items():
            assert name in known, query
            assert labels <= known[name][1] | {"le"}, query
    definitions = [one["query"]["query"] for one in dashboard["templating"]["list"][1:]]
    for name, label in (re.fullmatch(r"label_values\((\w+), (\w+)\)", one).groups() for one in definitions):
        assert label in known[name][1]
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    checked = run([program("promtool"), "check", "rules", file])
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_metric_is_in_a_dashboard() -> None:
    shown = {name for one in DASHBOARDS.values() for query in expressions(one) for name in asked(query)}
    assert set(rows_in_docs()) - shown == set()


def test_grafana_finds_them() -> None:
    (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/relay.yaml").read_text())["providers"]
    assert provider["type"] == "file"
    volumes = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in volumes
