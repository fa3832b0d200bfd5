"""Whatever happens in whatever order, the scripts do what the model says, and nothing is lost or stands still.

Here the same few lives are lived every time. `make model` tries others, for minutes, and makes one that fails short.
"""

import itertools
import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from relay.store.connect import connect
from relay.store.store import Store
from tests.integration.conftest import delete_all
from tests.integration.store.reference.clock import control_time
from tests.integration.store.reference.driver import SINKS, Driver
from tests.integration.store.reference.facts import ASKED
from tests.integration.store.reference.machine import Machine
from tests.integration.store.reference.state import State

LONG = int(os.environ.get("RELAY_MODEL_EXAMPLES", "0"))
BOUNDED = settings(max_examples=20, derandomize=True, database=None, phases=[Phase.generate])
PROFILE = settings(max_examples=LONG, phases=[Phase.reuse, Phase.generate, Phase.shrink]) if LONG else BOUNDED
BEGIN = 1_790_000_000_000


def test_the_scripts_do_what_the_model_says(run, server, namespace):
    numbers = itertools.count()

    class MachineOnStore(Machine):
        """Every life begins with an empty store."""

        def __init__(self) -> None:
            super().__init__()
            store = Store(connect(server.url, answer_seconds=10), f"{namespace}m{next(numbers)}")
            run(control_time(store, BEGIN))
            run(store.registry.add_sinks(dict.fromkeys(SINKS, "http")))
            run(store.registry.add_facts(ASKED))
            self.driver = Driver(run, store, State(now=BEGIN))

        def teardown(self) -> None:
            try:
                super().teardown()
            finally:
                for worker in list(self.driver.wake_ups):
                    self.driver.disconnect(worker)
                run(delete_all(self.driver.store))

    run_state_machine_as_test(
        MachineOnStore,
        settings=settings(
            PROFILE,
            stateful_step_count=50,
            deadline=None,
            report_multiple_bugs=False,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
