"""What a load needs, by the figures of the bench."""

import pytest

from relay.config.config import Config
from relay.config.load import load
from relay.operations import capacity
from relay.operations.capacity import plan_capacity
from relay.sinks.registry import sink_types

CONFIG = """
sources: {acme: {type: amocrm, token: 0123456789abcdef}}
sinks: {out: {type: log, rate: 2/s}}
routes: [{name: all, on: add_lead, to: out, body: {lead: "{{ lead.id }}"}}]
retention: {finished: 7d, count: 200000}
"""


@pytest.fixture(scope="module")
def config() -> Config:
    return load(CONFIG, file="relay.yaml", environ={}, sink_types=sink_types())


@pytest.mark.parametrize(
    ("hooks", "deliveries", "needed"),
    [
        (8_640, 1.0, (2.0, 1, 1, 1)),  # 0.1 a second, 2 in the busiest
        (86_400_000, 0.0, (20_000.0, 3, 1, 3)),  # 20,000 / 17,000 of a process, half used: 2.4
        (20_000_000, 2.0, (4629.6, 1, 2, 3)),  # 9,259 deliveries: 0.97 of a worker; with 0.27 of hooks 1.24 of a store
    ],
)
def test_the_busiest_second_decides(
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    hooks: int,
    deliveries: float,
    needed: tuple[float, int, int, int],
) -> None:
    monkeypatch.setattr(capacity, "HOOKS_A_SECOND", 17_000)
    monkeypatch.setattr(capacity, "DELIVERIES_A_SECOND", 9_500)
    planned = plan_capacity(hooks, deliveries, config)
    assert (round(planned.hooks_a_second, 1), planned.web, planned.workers, planned.stores) == needed


def test_the_store_holds_what_retention_keeps_and_a_day_that_waits(config: Config) -> None:
    planned = plan_capacity(10_000, 2.0, config)
    assert planned.finished == 70_000
    assert planned.finished_bytes == 70_000 * 2 * capacity.DELIVERED_BYTES
    assert planned.waiting_bytes == 10_000 * 2 * capacity.WAITING_BYTES
    assert planned.store_bytes * 0.85 >= planned.finished_bytes + planned.waiting_bytes
    assert plan_capacity(1_000_000, 1.0, config).finished == config.retention.count


def test_a_sinks_rate_is_a_limit_too(config: Config) -> None:
    assert plan_capacity(10_000, 1.0, config).sinks == {"out": 172_800}
