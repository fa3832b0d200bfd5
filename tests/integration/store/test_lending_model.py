"""Whatever happens in whatever order in two shards, the home of their sinks lends what the model says, and no more."""

import itertools
import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from relay.model import DeliveryState
from relay.store.connect import connect
from relay.store.store import Store
from tests.integration.conftest import delete_all
from tests.integration.store.reference.actions import few, outcomes, pick, recent, workers
from tests.integration.store.reference.clock import control_time
from tests.integration.store.reference.delivery_actions import attempts
from tests.integration.store.reference.driver import Driver
from tests.integration.store.reference.facts import ASKED
from tests.integration.store.reference.state import State
from tests.integration.store.reference.two_shards import TwoShards

LONG = int(os.environ.get("RELAY_MODEL_EXAMPLES", "0"))
BOUNDED = settings(max_examples=4, derandomize=True, database=None, phases=[Phase.generate])
PROFILE = settings(max_examples=LONG, phases=[Phase.reuse, Phase.generate, Phase.shrink]) if LONG else BOUNDED
BEGIN = 1_790_000_000_000
SINKS = ("books", "ledger")
sinks = st.sampled_from(SINKS)
lost = st.sampled_from(["", "", "", "lend", "claim"])


class Machine(RuleBasedStateMachine):
    shards: TwoShards

    @invariant()
    def everything_is_as_it_should_be(self) -> None:
        self.shards.check()

    @rule(sink=sinks, n=few, at_home=st.booleans())
    def hooks_arrive(self, sink, n, at_home) -> None:
        driver = self.shards.home if at_home else self.shards.other
        self.shards.make(driver, [("", sink, DeliveryState.PENDING, False, ("", ""))] * n)

    @rule(sink=sinks, worker=workers, most=few)
    def the_home_claims(self, sink, worker, most) -> None:
        self.shards.home.claim_deliveries(f"sink:{sink}", worker, most)

    @precondition(lambda self: self.shards.home.deliveries)
    @rule(at=recent, n=few, what=outcomes)
    def attempts_of_the_home_end(self, at, n, what) -> None:
        items = attempts(self.shards.home, at, n, what, self.shards.home.deliveries)
        self.shards.home.settle(items[0].delivery.sink, items)

    @rule(sink=sinks, most=few, lost=lost)
    def the_other_shard_borrows(self, sink, most, lost) -> None:
        self.shards.work(sink, [], most, lost)

    @precondition(lambda self: self.shards.out)
    @rule(at=recent, n=few, what=outcomes, most=st.integers(0, 3), lost=lost)
    def attempts_of_the_other_shard_end(self, at, n, what, most, lost) -> None:
        driver = self.shards.other
        items = attempts(driver, at, n, what, self.shards.out)
        self.shards.work(items[0].delivery.sink, items, most, lost)

    @precondition(lambda self: self.shards.out)
    @rule(at=recent)
    def a_worker_of_the_other_shard_dies(self, at) -> None:
        self.shards.out.remove(pick(self.shards.out, at))

    @rule(sink=sinks, act=st.sampled_from(["pause", "resume", "resume"]))
    def a_person_pauses_or_resumes(self, sink, act) -> None:
        self.shards.home.set_pause(sink, act, 0)

    @rule(ms=st.sampled_from([1, 500, 1000, 1000, 30_000, 61_000]))
    def time_passes(self, ms) -> None:
        self.shards.pass_time(ms)


def test_the_home_lends_what_the_model_says(run, server, namespace):
    numbers = itertools.count()

    def open_driver() -> Driver:
        store = Store(connect(server.url, answer_seconds=10), f"{namespace}m{next(numbers)}")
        run(control_time(store, BEGIN))
        run(store.registry.add_sinks(dict.fromkeys(SINKS, "http")))
        run(store.registry.add_facts(ASKED))
        return Driver(run, store, State(now=BEGIN))

    class MachineOnStores(Machine):
        """Every life begins with two empty stores."""

        def __init__(self) -> None:
            super().__init__()
            self.shards = TwoShards(open_driver(), open_driver())

        def teardown(self) -> None:
            for driver in (self.shards.home, self.shards.other):
                run(delete_all(driver.store))

    run_state_machine_as_test(
        MachineOnStores,
        settings=settings(
            PROFILE, stateful_step_count=30, deadline=None, report_multiple_bugs=False, print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
