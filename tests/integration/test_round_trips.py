"""How often a worker asks the store for all it does, whatever the machine: by the batch, and not by the event.

What one call costs is in store/test_costs.py; how hooks are gathered into one call, in
tests/unit/web/test_group_commit.py.
"""

import time

import pytest

from relay.amocrm.form import encode_form
from relay.config.environment import ProcessSettings
from relay.live_config import LiveConfig
from relay.web.group_commit import MAX_GROUP_HOOKS
from tests.integration.scripted_sink import ScriptedSink, drain, queue_deliveries
from tests.integration.store.shapes import hook, ids_in_queue
from workers.router import Router
from workers.watchdog import Watchdog

MANY = 1000
CONFIG = """
sources:
  acme: {type: amocrm, token: long-enough}
sinks:
  console: {type: log}
routes:
  - {name: leads, on: add_lead, to: console, text: "{{ lead.id }}"}
"""


@pytest.fixture
def router(store, tmp_path) -> Router:
    """Return a router with the default settings."""
    path = tmp_path / "relay.yaml"
    path.write_text(CONFIG)
    live = LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(path)}))
    return Router(live, store, lambda queues: None, "w1", lambda: False, Watchdog("w1", 20))


def test_a_thousand_events_are_routed_in_a_few_calls(run, store, reader, router, spent):
    hooks = [hook(f"r{n:05}", encode_form({"leads": {"add": [{"id": str(n)}]}})) for n in range(MANY)]
    for at in range(0, MANY, MAX_GROUP_HOOKS):
        run(store.accept(hooks[at : at + MAX_GROUP_HOOKS]))
    spent()

    async def route() -> None:
        router.start()
        await router.finish(time.monotonic() + 60)

    run(route())
    calls, _ = spent()
    assert calls <= 30  # ten claims, and twice as many writes
    assert len(run(ids_in_queue(reader, "console"))) == MANY


@pytest.mark.parametrize(("on_unknown", "most"), [("retry", 14), ("hold", 30)])
def test_a_thousand_deliveries_are_made_in_a_few_calls(run, store, namespace, spent, on_unknown, most):
    """Where a repeat may double, the marks of those that leave together are one call more."""
    queue_deliveries(run, store, [b"{}"] * MANY)
    sink = ScriptedSink(concurrency=256, on_unknown=on_unknown)
    spent()
    run(drain(store, namespace, sink))
    calls, _ = spent()
    assert calls <= most
    assert len(sink.calls) == MANY
