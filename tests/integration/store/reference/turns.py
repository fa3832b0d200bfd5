"""Who waits for its turn at the home of a sink: another shard, or the HOME itself. One does at a time."""

from collections.abc import Sequence

from relay.model import Limit
from relay.store.wire.claims import ClaimRequest
from tests.integration.store.reference import claiming, gates
from tests.integration.store.reference.state import Gate, Queue, State

HOME = ""
WANTED_MS = 2000


def lent_slot(token: str, number: object) -> str:
    return f"lent|{token}|{number}"


def keep(state: State, shard: str, request: ClaimRequest, queue: Queue, gate: Gate) -> None:
    """Keep the next slot, or the next grants, for a shard that was refused them."""
    if any("|next " in id for id in queue.leased):
        return
    if request.concurrency and queue.started >= request.concurrency:
        if not _keeps_back(state, gate, request, queue):
            queue.leased[lent_slot(shard, "next slot")] = state.now + WANTED_MS
        return
    full = [limit for limit in request.limits if claiming.free_grants(state, limit) <= 0]
    if gate != Gate() or not full:
        return
    at = state.grants[full[0].key][-full[0].count] + full[0].per_ms
    queue.leased[lent_slot(shard, "next grant")] = at + WANTED_MS
    for limit in request.limits:
        state.grants[limit.key] = [*state.grants[limit.key], at]  # it may be given back: nothing is cut off


def keep_of_home(state: State, request: ClaimRequest, queue: Queue, gate: Gate) -> None:
    """Keep it for the home after something was lent, where it has work, and of slots fewer than the others."""
    if not is_due(state, queue) or gate != Gate() or claiming.free_slots(state, request, gate, queue) > 0:
        return
    lent = sum(id.startswith("lent|") for id in queue.leased)
    by_slots = bool(request.concurrency) and queue.started >= request.concurrency
    if not by_slots or 2 * lent > queue.started:
        keep(state, HOME, request, queue, gate)


def is_due(state: State, queue: Queue) -> bool:
    return any(at <= state.now for at in queue.due.values())


def end(state: State, shard: str, request: ClaimRequest, queue: Queue) -> bool:
    """End the turn of a shard. Returns whether it had one."""
    of_slot = queue.leased.pop(lent_slot(shard, "next slot"), None)
    of_grant = queue.leased.pop(name := lent_slot(shard, "next grant"), None)
    if of_grant is not None:
        return_if_expired(state, name, of_grant, request.limits)
    return of_slot is not None or of_grant is not None


def return_if_expired(state: State, id: str, ends: float, limits: Sequence[Limit]) -> None:
    """Give back the grants that a lease which is over has kept, where it is a turn."""
    if id.startswith("lent|") and id.endswith("|next grant"):
        for limit in limits:
            return_grant(state, limit.key, ends - WANTED_MS)


def return_grant(state: State, key: str, at: float) -> None:
    times = state.grants[key]
    if at in times:
        del times[len(times) - 1 - times[::-1].index(at)]


def _keeps_back(state: State, gate: Gate, request: ClaimRequest, queue: Queue) -> bool:
    """Say whether the gate allows nothing, whatever slots are free: it says when to ask again."""
    if gates.closed_until(state, gate, "") is not None:
        return True
    return bool(gate.ramp) and "" not in gate.routes and 2 ** ((state.now - gate.ramp) // 500) <= queue.started
