"""What happens to hooks and receipts."""

from hypothesis import strategies as st

from relay.model import DeliveryState, Receipt, ReceiptState
from relay.store.keys import INBOX
from relay.store.records import LateAnswer
from tests.integration.store.reference.actions import HOUR, MINUTE, action, few, lost, pick, plans, recent, workers
from tests.integration.store.shapes import hook, new, routed


@action(
    weight=2,
    alike=st.booleans(),
    timed=st.booleans(),
    request_id=st.sampled_from(["", "q"]),
    n=few,
    late=lost,
    at=recent,
)
def hooks_come(driver, alike, timed, request_id, n, late, at) -> None:
    names = [driver.name("r") for _ in range(n)]
    hooks = [hook(id, body_of(id, alike, timed), timed=timed, request_id=request_id) for id in names]
    answered_late = []
    if late and driver.accepted:
        known = pick(driver.accepted, at)
        answered_late = [LateAnswer(id=known.id, source=known.source, digest=known.digest)]
    driver.accept(hooks, answered_late)


def body_of(id: str, alike: bool, timed: bool) -> bytes:
    """Bodies that are alike have a change time, or have none."""
    return f"the same, {timed}".encode() if alike else id.encode()


@action(weight=2, listening=st.sets(workers), cut_off=workers)
def a_hook_comes_to_listeners(driver, listening, cut_off) -> None:
    """One of them may have lost its connection since it looked."""
    for worker in sorted(listening):
        driver.connect(worker)
        driver.look(worker, listens=True)
    if cut_off in driver.wake_ups:
        driver.disconnect(cut_off)
    id = driver.name("r")
    driver.accept([hook(id, id.encode())])


@action(when=lambda driver: driver.accepted, at=recent)
def the_answer_to_a_hook_was_lost(driver, at) -> None:
    known = pick(driver.accepted, at)
    if known.id in driver.state.receipts:  # it is repeated at once, long before retention
        driver.accept([known])


@action(timed=st.booleans(), alike=st.booleans())
def a_call_is_carried_out_after_its_repetition(driver, timed, alike) -> None:
    first, again = driver.name("r"), driver.name("r")
    body = body_of(first, alike, timed)
    late = hook(first, body, timed=timed)
    driver.accept([hook(again, body, timed=timed)], [LateAnswer(id=first, source=late.source, digest=late.digest)])
    driver.accept([late])


@action(weight=2, when=lambda driver: driver.waits(INBOX), worker=workers, most=few, lost=lost)
def a_router_claims(driver, worker, most, lost) -> None:
    driver.claim_receipts(worker, most, lost)


@action(
    weight=4,
    when=lambda driver: driver.receipts,
    at=recent,
    plan=plans,
    last=st.sampled_from([True, True, False]),
    bad=lost,
    worker=workers,
    most=few,
    claims=st.booleans(),
    lost=lost,
)
def a_receipt_is_routed(driver, at, plan, last, bad, worker, most, claims, lost) -> None:
    receipt, token = pick(driver.receipts, at)
    state = {"state": ReceiptState.QUARANTINED} if bad else {}
    part = routed(receipt, *deliveries_of(receipt.id, plan), last=last, **state)
    if claims:
        driver.save_routed_and_claim(token, [part], worker, most, lost)
    else:
        driver.save_routed(token, [part])


@action(when=lambda driver: driver.receipts, at=recent, most_ms=st.sampled_from([MINUTE, HOUR]))
def a_receipt_is_left_to_another(driver, at, most_ms) -> None:
    receipt, token = pick(driver.receipts, at)
    driver.leave_receipts(token, [receipt.id], most_ms)


@action(when=lambda driver: driver.accepted, at=recent, plan=plans, last=st.booleans())
def a_person_replays(driver, at, plan, last) -> None:
    id = pick(driver.accepted, at).id
    receipt = Receipt(id=id, source="acme", received_at=0, body=b"")
    driver.replay(routed(receipt, *deliveries_of(id, plan), last=last))


def deliveries_of(receipt: str, plan):
    return [
        new(
            f"{key}-{sink}" if key else f"{receipt}-{n}", receipt, sink=sink, once=bool(key), state=state,
            route=f"route{n % 2}", content=b"" if looks_up else f"content {n} of {receipt}".encode(),
            needs_lookup=looks_up and state is DeliveryState.PENDING, order=order, latest=latest,
        )
        for n, (key, sink, state, looks_up, (order, latest)) in enumerate(plan)
    ]  # fmt: skip
