"""What happens to deliveries and look-ups."""

from hypothesis import strategies as st

from relay.model import CompletedLookup, DeliveryState
from relay.store.records import Settlement
from tests.integration.store.reference.actions import action, few, lost, outcomes, pick, recent, workers
from tests.integration.store.reference.driver import ACCOUNT
from tests.integration.store.shapes import settlement


@action(weight=6, when=lambda driver: driver.waiting_sinks(), at=recent, worker=workers, most=few, lost=lost,
        ahead=st.integers(0, 2), back=lost)  # fmt: skip
def a_drainer_claims(driver, at, worker, most, lost, ahead, back) -> None:
    driver.claim_deliveries(f"sink:{pick(driver.waiting_sinks(), at)}", worker, most, lost, ahead, back)


@action(weight=4, when=lambda driver: driver.deliveries, at=recent)
def bytes_are_about_to_leave(driver, at) -> None:
    driver.mark_sending([pick(driver.deliveries, at)])


def attempts(driver, at: int, n: int, what, held) -> list[Settlement]:
    """Let what a drainer took, of one sink, come to an outcome."""
    outcome, decision, delay_ms = what
    first = pick(held, at)
    others = [one for one in held if one.sink == first.sink and one is not first]
    number = driver.numbers
    return [
        settlement(one, outcome, number=next(number), **{"delay_ms": delay_ms, **decision})
        for one in [first, *others[len(others) - n + 1 :]][:n]
    ]


@action(
    weight=7,
    when=lambda driver: driver.deliveries,
    at=recent,
    n=few,
    what=outcomes,
    worker=workers,
    repeated=lost,
    claims=st.booleans(),
    ahead=st.integers(0, 2),
)
def attempts_end(driver, at, n, what, worker, repeated, claims, ahead) -> None:
    items = attempts(driver, at, n, what, driver.deliveries)
    sink = items[0].delivery.sink
    if repeated:
        driver.settle(sink, items)  # and the answer was lost
    if claims:
        driver.settle_and_claim(sink, items, worker, n, ahead)
    else:
        driver.settle(sink, items)


@action(weight=3, when=lambda driver: driver.waits(ACCOUNT), worker=workers, most=few, lost=lost)
def a_fetcher_claims(driver, worker, most, lost) -> None:
    driver.claim_deliveries(ACCOUNT, worker, most, lost)


@action(weight=2, when=lambda driver: driver.lookups, at=recent, n=few, what=outcomes, asked=st.booleans())
def lookups_are_postponed(driver, at, n, what, asked) -> None:
    items = attempts(driver, at, n, what, driver.lookups)
    pending = [item for item in items if item.decision.state is DeliveryState.PENDING]
    if pending:
        driver.postpone_lookups(pending, asked)


@action(
    weight=3,
    when=lambda driver: driver.lookups,
    at=recent,
    state=st.sampled_from(
        [DeliveryState.PENDING] * 3 + [DeliveryState.SKIPPED, DeliveryState.DEAD, DeliveryState.SHADOWED]
    ),
)
def a_lookup_is_answered(driver, at, state) -> None:
    delivery = pick(driver.lookups, at)
    done = CompletedLookup(delivery=delivery, content=f"found for {delivery.id}".encode(), state=state)
    driver.complete_lookups([done])
