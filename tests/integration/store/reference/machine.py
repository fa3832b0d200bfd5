"""What may happen to a relay, in any order: what hypothesis plays on a store and the model."""

import sys

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from relay.model import CompletedLookup, Outcome
from relay.store.keys import INBOX, JOBS
from tests.integration.store.reference import delivery_actions, hook_actions, other_actions
from tests.integration.store.reference.actions import (
    Action,
    few,
    plans,
)
from tests.integration.store.reference.driver import ACCOUNT, SINKS, Driver
from tests.integration.store.shapes import hook, routed, settlement

KINDS = (hook_actions, delivery_actions, other_actions)
ACTIONS = [one for kind in KINDS for one in vars(kind).values() if isinstance(one, Action)]


class Machine(RuleBasedStateMachine):
    driver: Driver

    @initialize(n=few, plan=plans)
    def something_is_there(self, n, plan) -> None:
        hooks = [hook(self.driver.name("r")) for _ in range(n)]
        self.driver.accept(hooks)
        for receipt, token in self.driver.claim_receipts("w1", n):
            part = routed(receipt, *hook_actions.deliveries_of(receipt.id, plan))
            self.driver.save_routed(token, [part])

    @invariant()
    def everything_is_as_it_should_be(self) -> None:
        self.driver.check()

    @rule(data=st.data())
    def something_happens(self, data) -> None:
        possible = [one for one in ACTIONS for _ in range(one.weight) if one.when(self.driver)]
        one = data.draw(st.sampled_from(possible), label="happens")
        one.happen(self.driver, **data.draw(one.arguments, label="with"))

    def teardown(self) -> None:
        """Workers that do not die, and look only where the store tells them to, finish everything."""
        if sys.exc_info()[0] is not None:  # it went wrong before
            return
        driver = self.driver
        for sink in SINKS:
            driver.set_pause(sink, "resume", 0)
        for _ in range(500):
            found = driver.run(driver.store.look("last"))
            for queue in found.queues:
                driver.run(driver.store.clear_bell(queue))
                self.work_off(queue)
            if not found.queues:
                if found.wait_ms < 0:
                    break
                driver.pass_time(max(found.wait_ms, 1000))  # a bell may be on its way
        driver.check()
        unfinished = [id for id, one in driver.state.deliveries.items() if one.state == "pending"]
        assert unfinished == []
        assert not any(receipt.state == "accepted" for receipt in driver.state.receipts.values())
        assert not driver.state.jobs

    def work_off(self, queue: str) -> None:
        driver = self.driver
        items = driver.claim(queue, "last", 3)
        if queue == INBOX:
            for receipt, token in items:
                driver.save_routed(token, [routed(receipt)])
        elif queue == JOBS:
            for job in items:
                driver.finish_job(job, None)
        elif queue == ACCOUNT and items:
            driver.complete_lookups([CompletedLookup(delivery=one, content=b"found") for one in items])
        elif items:
            sink = queue.removeprefix("sink:")
            driver.settle(sink, [settlement(one, Outcome.DELIVERED, next(driver.numbers)) for one in items])
