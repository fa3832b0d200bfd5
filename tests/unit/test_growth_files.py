"""The configurations and hooks of the bench are what it says of them: each hook has one delivery."""

import pytest

from relay.config.load import load
from relay.model import Receipt
from relay.planning import plan_receipt
from relay.sinks.registry import make_sinks, sink_types
from tests.bench.growth import day
from tests.bench.growth.files import (
    as_yaml,
    configuration,
    hook,
    routes_by_price,
    routes_by_status,
    routes_of_other_events,
    routes_to_sinks,
)
from tests.bench.growth.traffic import KINDS, TrafficHook

FORM = "application/x-www-form-urlencoded"
URL = "http://127.0.0.1/"


def plan(config, planned):
    loaded = load(as_yaml(config), file="relay.yaml", environ={}, sink_types=sink_types())
    source = planned.path.split("/")[2]
    assert planned.path == f"/hooks/{source}/{loaded.sources[source].tokens[0].get_secret_value()}"
    receipt = Receipt(id="r1", source=source, received_at=0, body=planned.body.encode(), content_type=FORM)
    return plan_receipt(receipt, loaded, make_sinks(loaded)).deliveries


@pytest.mark.parametrize("routes", [routes_by_status, routes_by_price, routes_of_other_events])
@pytest.mark.parametrize("count", [1, 7])
def test_of_more_and_more_routes_one_matches(routes, count):
    config = configuration(URL, routes=routes(count))
    assert len(config["routes"]) == count
    (delivery,) = plan(config, hook(5, 0))
    assert b'"lead":"5"' in delivery.content.replace(b": ", b":")


def test_each_hook_goes_to_the_sink_of_its_status():
    config = configuration(URL, routes=routes_to_sinks(4), sinks=4)
    assert [plan(config, hook(n, 0, status=1000 + n))[0].sink for n in range(4)] == ["sink0", "sink1", "sink2", "sink3"]


@pytest.mark.parametrize(("size", "most"), [(1000, 1500), (10_000, 11_000), (100_000, 101_000)])
def test_a_hook_is_as_long_as_is_asked_for_and_says_the_same(size, most):
    planned = hook(5, 0, size=size)
    assert size <= len(planned.body) <= most
    assert len(plan(configuration(URL), planned)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_of_the_days_hooks_those_are_delivered_that_are_counted_on(kind):
    planned = day.as_hook(TrafficHook(0.0, 13, kind), 77, 0.0)
    deliveries = plan(day.configuration(URL, accounts=20), planned)
    assert [one.sink for one in deliveries] == (["sink1"] if kind in day.DELIVERED else [])
    assert all(b'"77"' in one.content for one in deliveries)
