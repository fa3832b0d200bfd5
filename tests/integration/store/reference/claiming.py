"""What may be taken of a queue, under a lease. Which of it the store takes is its own: all else follows from that."""

from collections.abc import Mapping, Sequence

from relay.model import Limit
from relay.store.keys import INBOX, JOBS
from relay.store.records import HANDED
from relay.store.wire.claims import ClaimRequest
from tests.integration.store.reference import gates, keyed, turns
from tests.integration.store.reference.state import (
    ALONE_AFTER,
    POISONED_AFTER,
    DeliveryModel,
    Gate,
    Leasable,
    Queue,
    ReceiptModel,
    State,
)

ALONE_MS = 60_000
JOB_POISONED_MS = 3_600_000
SOON_MS = 1000
RECALLED_MS = 1500


def claim(
    state: State,
    request: ClaimRequest,
    taken: Sequence[str],
    due_after: Mapping[str, float],
    ahead: int = 0,
    recalled: bool | None = None,
) -> list[str]:
    """Take what the store has taken of a queue; the last ones, `ahead`, ahead of a slot. Returns what is poisoned.

    `due_after`: what is due in the store now. `recalled`: what it said of what is ahead. Raises AssertionError where it
    may not have taken just that.
    """
    queue, gate = state.queues[request.queue], gates.read(state, request.queue)
    if gate.paused_until and gate.paused_until <= state.now:
        gate.paused, gate.paused_until = False, 0
    _give_back_ahead(state, request, queue)
    give_back_unheard(state, request, queue)
    poisoned = take_back_expired(state, request.queue, queue, request.limits)
    if gate.paused:
        assert not taken, "taken from a paused queue"
        assert recalled is not False
        return poisoned
    if gate.advance and "" not in gate.routes:
        gate.advance = False
        for id, at in queue.due.items():
            if at > state.now and state.deliveries[id].down:
                queue.due[id] = max(state.now, state.deliveries[id].down)
    if request.holds_ahead and queue.recalled <= state.now - RECALLED_MS:
        queue.recalled = 0
    slots = free_slots(state, request, gate, queue)
    most_ahead = _may_be_ahead(request, gate, queue, slots)
    if slots <= 0 and not most_ahead and request.max and turns.end(state, turns.HOME, request, queue):
        slots = free_slots(state, request, gate, queue)
        most_ahead = _may_be_ahead(request, gate, queue, slots)
        if slots <= 0 and not most_ahead and turns.is_due(state, queue):
            turns.keep(state, turns.HOME, request, queue, gate)
    assert recalled is None or recalled == (not _wide_open(gate) or (request.holds_ahead and bool(queue.recalled)))
    due = [id for id, at in queue.due.items() if at <= state.now]
    batched = slots > 0 and request.batch > 1 and "" not in gate.routes and len(due) >= request.batch_from
    in_slots = taken[: len(taken) - ahead]
    check_taken(state, request, gate, due, request.batch if batched else slots, batched, in_slots)
    _check_ahead(state, request, [id for id in due if id not in in_slots], most_ahead, taken[len(in_slots) :])
    queue.ahead |= {id: queue.due[id] for id in taken[len(in_slots) :]}
    take(state, request, gate, queue, taken, due_after)
    for limit in request.limits if taken else ():
        state.grants[limit.key] = [*state.grants[limit.key], *[state.now] * (1 if batched else len(taken))]
        state.grants[limit.key] = state.grants[limit.key][-limit.count :]
    return poisoned


def claim_made(state: State, request: ClaimRequest, made: Sequence[str]) -> list[str]:
    """Take what a call has just made for a sink, as far as any claim could and nothing else is due. Returns its ids."""
    queue = state.queues[request.queue]
    if not made or request.unheard or (request.batch > 1 and len(made) >= request.batch_from):
        return []
    gate = state.gates[request.queue]
    waits = any(at <= state.now for id, at in queue.due.items() if id not in made)
    if (
        gate != Gate()
        or queue.ahead
        or queue.recalled
        or waits
        or any(ends <= state.now for ends in queue.leased.values())
    ):
        return []
    taken = list(made[: max(free_slots(state, request, gate, queue), 0)])
    take(state, request, gate, queue, taken, {})
    for limit in request.limits if taken else ():
        state.grants[limit.key] = [*state.grants[limit.key], *[state.now] * len(taken)][-limit.count :]
    return taken


def free_slots(state: State, request: ClaimRequest, gate: Gate, queue: Queue) -> int:
    """Return how many may be taken now; changes nothing but the end of a ramp."""
    if gates.closed_until(state, gate, "") is not None:
        return 0
    if not request.max and not request.ahead:
        return 0
    slots = request.max if "" not in gate.routes else min(request.max, 1)
    if gate.ramp and "" not in gate.routes:
        allowed = 2 ** ((state.now - gate.ramp) // gates.RAMP_STEP_MS)
        if allowed >= (request.concurrency or request.max):
            gate.ramp = 0
        else:
            slots = min(slots, allowed - queue.started)
    if request.concurrency:
        slots = min(slots, request.concurrency - queue.started)
    return min([slots, *[free_grants(state, limit) for limit in request.limits]])


def _wide_open(gate: Gate) -> bool:
    return not (gate.routes or gate.ramp or gate.advance or gate.paused)


def _may_be_ahead(request: ClaimRequest, gate: Gate, queue: Queue, slots: int) -> int:
    """Return how many may be claimed ahead: none while a slot is free, nor while they are recalled."""
    full = bool(request.concurrency) and 0 <= slots == request.concurrency - queue.started
    if not full or request.limits or not _wide_open(gate):
        return 0
    return 0 if request.holds_ahead and queue.recalled else request.ahead


def _check_ahead(state: State, request: ClaimRequest, due: list[str], most: int, ahead: Sequence[str]) -> None:
    records = {id: state.record(request.queue, id) for id in due}
    died = {id for id, record in records.items() if record and (record.died or getattr(record, "order", ""))}
    assert not died & set(ahead), f"{died & set(ahead)} had died with a worker, or are in order, and are claimed ahead"
    right = min(most, len(due))
    least = 0 if died else right
    assert least <= len(ahead) <= right, f"{len(ahead)} claimed ahead, right would be {right}"


def _give_back_ahead(state: State, request: ClaimRequest, queue: Queue) -> None:
    for lease in request.back:
        record = state.deliveries.get(lease.id)
        if record is None or record.token != lease.token or queue.leased.pop(lease.id, None) is None:
            continue
        due_at = queue.ahead.pop(lease.id, state.now)
        if record.reported or record.cancel:
            _end_expired(state, record)
        else:
            queue.due[lease.id] = due_at
    if request.back and not queue.ahead:
        queue.recalled = 0


def free_grants(state: State, limit: Limit) -> int:
    recent = [at for at in state.grants[limit.key] if at > state.now - limit.per_ms]
    return limit.count - len(recent)


def give_back_unheard(state: State, request: ClaimRequest, queue: Queue) -> None:
    """Give back what was taken in claims of which nobody heard."""
    for id in list(queue.leased):
        record = state.record(request.queue, id)
        if record and record.token in request.unheard:
            del queue.leased[id]
            due_at = queue.ahead.pop(id, state.now)
            if isinstance(record, DeliveryModel) and (record.reported or record.cancel):
                _end_expired(state, record)
            elif isinstance(record, DeliveryModel):
                keyed.wait(state, record, due_at)
            else:
                queue.due[id] = due_at
            if isinstance(record, DeliveryModel):
                for route in ("", record.route):
                    gates.end_trial(state, request.queue, route, id, "throttled")


def _worker_of(token: str) -> str:
    return token.rpartition(":")[0] or token


def _in_hand(state: State, worker: str) -> list[Leasable]:
    """Return all that a worker holds, in whichever queue."""
    held = [state.record(name, id) for name, queue in state.queues.items() for id in queue.leased]
    return [record for record in held if record and record.token and _worker_of(record.token) == worker]


def take_back_expired(state: State, name: str, queue: Queue, limits: Sequence[Limit] = ()) -> list[str]:
    """Take back what workers died with. Returns what is poisoned."""
    expired = sorted((ends, id) for id, ends in queue.leased.items() if ends <= state.now)
    records = {id: record for _, id in expired if (record := state.record(name, id))}
    for worker in {_worker_of(record.token) for record in records.values() if record.token}:
        held = _in_hand(state, worker)
        for record in held if len(held) > 1 else ():
            record.beside = record.token
    poisoned = []
    for ends, id in expired:
        del queue.leased[id]
        was_ahead = queue.ahead.pop(id, None) is not None
        if id.startswith("lent|"):  # by another shard: it is free again
            turns.return_if_expired(state, id, ends, limits)
            continue
        record = records[id]
        if isinstance(record, DeliveryModel) and (record.reported or record.cancel):
            _end_expired(state, record)
            continue
        record.died += 1
        was_handed = isinstance(record, ReceiptModel) and not record.token
        to_blame = record.token != record.beside and not was_ahead and not was_handed
        record.alone += to_blame
        if to_blame and record.alone >= POISONED_AFTER:
            _poison(state, id, record)
            poisoned.append(id)
        elif isinstance(record, DeliveryModel):
            keyed.wait(state, record, state.now)
        else:
            queue.due[id] = state.now
    return poisoned


def _end_expired(state: State, delivery: DeliveryModel) -> None:
    if delivery.reported:
        state.deliver(delivery)
    else:
        delivery.token = ""
        state.end(delivery, "cancelled")


def _poison(state: State, id: str, record: Leasable) -> None:
    if isinstance(record, ReceiptModel):
        record.state, record.dead = "quarantined", 1
        state.count("receipt", record.source, "quarantined")
        state.close_one(id)
    elif isinstance(record, DeliveryModel):
        state.end(record, "dead")
    else:  # a job is the relay's own: it is tried again, but not soon
        record.died = record.alone = 0
        state.queues[JOBS].due[id] = state.now + JOB_POISONED_MS


def check_taken(
    state: State, request: ClaimRequest, gate: Gate, due: list[str], slots: int, batched: bool, taken: Sequence[str]
) -> None:
    """Say where the store took more or less than it may, or others."""
    assert set(taken) <= set(due), f"taken though not due: {set(taken) - set(due)}"
    may, alone = 0, set()
    routes = set()
    for id in due:
        record = state.record(request.queue, id)
        assert record, f"{id} is due, and there is no such record"
        route, blocked = (record.route, bool(record.blocked)) if isinstance(record, DeliveryModel) else ("", False)
        if record.died >= ALONE_AFTER or (batched and blocked):
            alone.add(id)
        if gates.may_pass(state, gate, "", blocked) and gates.may_pass(state, gate, route, blocked):
            if route in gate.routes:
                routes.add(route)  # one trial of each
            else:
                may += 1
    most = max(min(slots, may + len(routes)), 0)
    if alone:
        assert min(most, 1) <= len(taken) <= most, f"{len(taken)} taken, of which some must be alone, of {most}"
        assert len(taken) == 1 or not alone & set(taken), f"{alone & set(taken)} was not taken alone"
    else:
        assert len(taken) == most, f"{len(taken)} taken, right would be {most}"


def take(
    state: State, request: ClaimRequest, gate: Gate, queue: Queue, taken: Sequence[str], due_after: Mapping[str, float]
) -> None:
    """Put under a lease what the store has taken, and put off what the gates of routes keep back."""
    may_wait_until = {id: {_next_look(state, gate, id)} for id in queue.due} if gate.routes else {}
    for id in taken:
        record = state.record(request.queue, id)
        assert record
        ends = state.now + request.lease_ms + (ALONE_MS if record.died >= ALONE_AFTER else 0)
        record.token = request.token
        if isinstance(record, DeliveryModel):
            for route in ("", record.route):
                gates.begin_trial(gate, route, id, bool(record.blocked), ends)
        del queue.due[id]
        queue.leased[id] = ends
    for id in may_wait_until.keys() - set(taken):
        if due_after.get(id) in may_wait_until[id] | {_next_look(state, gate, id)}:
            queue.due[id] = int(due_after[id])


def _next_look(state: State, gate: Gate, id: str) -> float:
    """Return when one is looked at again that its route's gate keeps back."""
    delivery = state.deliveries.get(id)
    closed = delivery and gate.routes.get(delivery.route)
    if not closed:
        return -1
    return min(closed.until, state.now + SOON_MS) if closed.trial else closed.until


def end_leases(state: State, worker: str, sending: bool) -> int:
    """Let the leases of a worker that is gone run out now. Returns how many."""
    ended = 0
    for name, queue in state.queues.items():
        for id, ends in queue.leased.items():
            record = state.record(name, id)
            token = id.removeprefix("lent|") if id.startswith("lent|") else record.token if record else ""
            if token.startswith(f"{worker}:") and (sending or not name.startswith("sink:")):
                queue.leased[id] = min(ends, state.now)
                ended += 1
    return ended


def leave_receipts(state: State, token: str, ids: Sequence[str], most_ms: int) -> list[str]:
    """Give receipts back that wait for a worker which knows more. Returns those that have waited for so long."""
    inbox, kept = state.queues[INBOX], []
    for id in ids:
        receipt = state.receipts.get(id)
        if receipt is None or (receipt.token or (HANDED if receipt.state == "accepted" else "")) != token:
            continue
        age = state.now - receipt.known.at
        if age >= most_ms:
            kept.append(id)
        elif inbox.leased.pop(id, None) is not None:
            receipt.token = ""
            inbox.due[id] = state.now + min(max(age // 4, 1000), 60_000)
    return kept
