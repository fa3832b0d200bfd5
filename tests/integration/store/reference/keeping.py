"""Jobs, and what retention removes."""

from collections.abc import Iterable

from relay.store.kept_ages import KeptAges
from relay.store.keys import JOBS
from tests.integration.store.reference.state import DUPLICATE_MS, Known, Leasable, State


def enqueue_job(state: State, id: str, delay_ms: int) -> None:
    if id not in state.jobs:
        state.jobs[id] = Leasable()
        state.queues[JOBS].due[id] = state.now + delay_ms


def finish_job(state: State, id: str, token: str, again_ms: int | None) -> bool:
    """End a job's run. Returns whether the token still held it."""
    job = state.jobs.get(id)
    if job is None or job.token != token or state.queues[JOBS].leased.pop(id, None) is None:
        return False
    if again_ms is None:
        del state.jobs[id]
    else:
        state.jobs[id] = Leasable(beside=job.beside)
        state.queues[JOBS].due[id] = state.now + again_ms
    return True


def apply_retention(state: State, finished_ms: int, dead_ms: int, count: int, most: int) -> int:
    """Remove finished receipts over their age or over the count, the oldest first. Returns how many."""
    removed = 0
    for listed, age_ms in ((state.finished, finished_ms), (state.finished_dead, dead_ms)):
        oldest = sorted((at, id) for id, at in listed.items())
        over = max(len(oldest) - count, sum(at <= state.now - age_ms for at, _ in oldest))
        for _, id in oldest[: min(over, most - removed)]:
            _remove(state, id)
            del listed[id]
            removed += 1
    state.count("retired", n=removed)
    return removed


def remove_over_age(state: State, ages: KeptAges, ids: Iterable[str]) -> None:
    """Remove receipts, each of which must be over the age of its own."""
    gone = list(ids)
    for id in gone:
        listed = state.finished_dead if id in state.finished_dead else state.finished
        receipt = state.receipts[id]
        own = [one.state for of in receipt.deliveries if (one := state.deliveries.get(of)) and one.receipt == id]
        states = ["dead"] if id in state.finished_dead else own or [receipt.state]
        assert listed[id] + ages.age_of(receipt.source, states) <= state.now, f"{id} went before its time"
        _remove(state, id)
        del listed[id]
    state.count("retired", n=len(gone))


def _remove(state: State, id: str) -> None:
    receipt = state.receipts.pop(id)
    state.count("removed", receipt.source, "receipts")
    state.count("removed", receipt.source, "bytes", n=receipt.size)
    for of in receipt.deliveries:
        delivery = state.deliveries.get(of)
        if delivery is None or delivery.receipt != id:
            continue
        if delivery.state == "dead":
            state.count("delivery", delivery.sink, "expired")
        if delivery.once and delivery.state != "skipped":
            state.once[of] = delivery.state
        elif delivery.once:
            state.skipped_before.add(of)
        del state.deliveries[of]
        state.stories.pop(of, None)
    until = receipt.known.at + DUPLICATE_MS
    if until > state.now:
        state.retired[id] = Known(receipt.known.at, receipt.known.late, receipt.known.repeated_by, until)
