"""The alert rules for Prometheus, and which of them the metrics of a relay would fire."""

import operator
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from tests.deploy.programs import DEPLOY

_COMPARE = {">": operator.gt, ">=": operator.ge, "==": operator.eq}
_COMPARISON = re.compile(r"(\w+)(?:\{(.*)\})? (>=|>|==) ([\d.]+)")
_MATCHER = re.compile(r'(\w+)(=|!~)"([^"]*)"')


def alert_rules() -> Mapping[str, Mapping[str, Any]]:
    """Return the rules by name."""
    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def fired(families: Iterable[Metric]) -> set[str]:
    """Return the alerts that fire on metrics once these have stayed as they are for the rule's time.

    What a rule computes over time, or of Prometheus's own, is left out.
    """
    samples = [sample for family in families for sample in family.samples]
    return {name for name, rule in alert_rules().items() if is_simple(rule["expr"]) and _holds(rule["expr"], samples)}


def is_simple(expression: str) -> bool:
    """Return whether an expression compares metrics of the relay as they are."""
    first = _parts(expression)[0]
    return _COMPARISON.fullmatch(first) is not None and first.startswith("relay_")


def _holds(expression: str, samples: Iterable[Sample]) -> bool:
    found = [{sample.labels.get("sink") for sample in _matching(part, samples)} for part in _parts(expression)]
    return bool(set.intersection(*found))


def _parts(expression: str) -> list[str]:
    return expression.split(" and on (sink) ")


def _matching(comparison: str, samples: Iterable[Sample]) -> Iterator[Sample]:
    parsed = _COMPARISON.fullmatch(comparison)
    assert parsed is not None, comparison
    name, labels, compare, number = parsed.groups()
    for sample in samples:
        if sample.name == name and _has_labels(sample, labels or "") and _COMPARE[compare](sample.value, float(number)):
            yield sample


def _has_labels(sample: Sample, matchers: str) -> bool:
    return all(
        (sample.labels[label] == value) if how == "=" else not re.fullmatch(value, sample.labels[label])
        for label, how, value in _MATCHER.findall(matchers)
    )
