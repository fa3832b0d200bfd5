"""What a hook, a routed event and a settled delivery cost the store, whatever the machine: it must not grow unnoticed.

The figures are counts of commands, read from the server itself. One that falls may be lowered here.
"""

import pytest

from relay.model import Limit, Outcome
from tests.integration.store.shapes import hook, new, routed, settlement

LIMITS = (Limit(key="books", count=1000, per_ms=1000),)
ONE_A_MINUTE = (Limit(key="one", count=1, per_ms=60_000),)
GROUP = 50  # hooks, receipts and deliveries of one call
FIXED = (
    23  # commands that a call may cost whatever its size: clock, gate, limits, wake, bell, counters, the list of what
)
# is pending, what came of attempts. Under GROUP, so that one more command an item is seen.


def assert_cost(spent: tuple[int, int], calls: int, commands_each: int) -> None:
    assert spent[0] == calls
    assert spent[1] <= GROUP * commands_each + FIXED * calls, f"{(spent[1] - FIXED * calls) / GROUP:.2f} each"


@pytest.fixture(autouse=True)
def known_scripts(run, store, given) -> None:
    """Have the server know all scripts, so that their loading is not counted."""
    (first,) = given.claimed(1)
    run(store.mark_sending([first]))
    given.settle(settlement(first, Outcome.RETRY))
    given.settle_and_claim("w1", settlement(*given.claim().items, Outcome.DELIVERED, 2))


def test_an_accepted_hook_costs_three_commands_and_its_group_one_call(run, store, spent) -> None:
    """Its body, its record and what is remembered of the body; what is known is read once for the group, and so is the
    inbox filled.
    """
    hooks = [hook(f"c{n}", b"leads[add][0][id]=%d" % n) for n in range(GROUP)]
    spent()
    run(store.accept(hooks))
    assert_cost(spent(), calls=1, commands_each=3)


def test_a_routed_event_with_a_delivery_costs_six_commands_and_its_group_two_calls(run, store, given, spent) -> None:
    given.accepted(GROUP)
    spent()
    receipts = run(store.claim_receipts("router", 100, 60_000)).items
    run(store.save_routed("router", [routed(r, new(f"n{r.id}", r.id)) for r in receipts]))
    assert_cost(spent(), calls=2, commands_each=6)


def test_a_delivery_marked_as_being_sent_costs_three_commands_and_its_group_one_call(run, store, given, spent) -> None:
    given.pending(GROUP)
    deliveries = given.claim(concurrency=GROUP).items
    spent()
    assert run(store.mark_sending(deliveries)) == [True] * GROUP
    assert_cost(spent(), calls=1, commands_each=3)


def test_a_settled_delivery_costs_seven_commands_and_its_group_two_calls(given, spent) -> None:
    """Claimed under gate, limits and a token, then settled with its story and its counters."""
    given.pending(GROUP)
    spent()
    deliveries = given.claim(concurrency=GROUP, limits=LIMITS).items
    assert len(deliveries) == GROUP
    given.settle(*[settlement(delivery, Outcome.DELIVERED) for delivery in deliveries])
    assert_cost(spent(), calls=2, commands_each=7)


def test_a_delivery_settled_and_claimed_costs_seven_commands_and_its_group_one_call(given, spent) -> None:
    """What a busy drainer does again and again: as many commands as in two calls, in one."""
    given.pending(2 * GROUP)
    flying = given.claim(max=GROUP, concurrency=GROUP, limits=LIMITS).items
    done = [settlement(delivery, Outcome.DELIVERED) for delivery in flying]
    spent()
    answers, claim = given.settle_and_claim("w2", *done, concurrency=GROUP, limits=LIMITS)
    assert (answers, len(claim.items)) == (["settled"] * GROUP, GROUP)
    assert_cost(spent(), calls=1, commands_each=7)


@pytest.mark.parametrize("allowed", [{"concurrency": 1}, {"limits": ONE_A_MINUTE}])
def test_a_claim_that_gets_nothing_costs_eight_commands(given, spent, allowed) -> None:
    """The workers of a busy sink make it again and again: that other shards might wait for it costs none more."""
    given.pending(3)
    assert len(given.claim(**allowed).items) == 1
    spent()
    assert given.claim(**allowed).items == []
    assert spent() == (1, 8)


def test_a_look_costs_twenty_commands_however_many_jobs_there_are(run, store, spent) -> None:
    """Each worker looks every second or two, also where nothing happens."""
    jobs = [f"job-{n}" for n in range(40)]
    run(store.look("w1", jobs))
    spent()
    assert run(store.look("w1", jobs)).known is False
    calls, commands = spent()
    assert calls == 1
    assert commands <= 20
