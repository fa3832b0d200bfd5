"""What the home of a sink lends to another shard, and what that shard makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from relay.model import Breaker
from relay.store.records import Settlement
from relay.store.wire.claims import ClaimRequest
from relay.store.wire.lending import ReportRow, ReturnRequest
from tests.integration.store.reference import claiming, gates, turns
from tests.integration.store.reference.settling import UNWELL, WELL, Writer
from tests.integration.store.reference.state import Gate, Queue, RouteGate, State


@dataclass
class Lent:
    """What the home answers: how many slots, and its gate as it was before these trials."""

    slots: int
    at: int
    openings: int = 0
    gate: Gate = field(default_factory=Gate)
    trials: dict[str, int] = field(default_factory=dict)


def lend(
    state: State, request: ClaimRequest, borrower: str, reports: Sequence[ReportRow], breaker: Breaker | None
) -> tuple[list[str], int, Lent]:
    """Take reports, then lend. Returns what the script does."""
    marks, tried_first = _report(state, request.queue, reports, breaker)
    return marks, tried_first, _lend(state, request, borrower)


def _report(state: State, name: str, reports: Sequence[ReportRow], breaker: Breaker | None) -> tuple[list[str], int]:
    gates.read(state, name)
    leased, marks = state.queues[name].leased, []
    well, unwell, last = 0, 0, 0
    for place, row in enumerate(reports, 1):
        item = row.item
        if leased.pop(turns.lent_slot(row.token, row.number), None) is None:
            marks.append("")
            continue
        well += item.counted and item.outcome in WELL
        if item.counted and item.outcome in UNWELL:
            unwell, last = unwell + 1, place
        closes = item.gate_route if item.gate_ms else None
        for route in ("", row.route):
            if closes != route:
                gates.end_trial(state, name, route, row.token, item.outcome, breaker, item.asked_ms)
        marks.append("")
        if closes is not None:
            marks[-1] = f"{state.openings[gates.openings_of(name, closes)]}|{closes}"
            gates.close(state, name, closes, row.token, item.gate_ms, item.gate_sure)
    tripped = gates.watch(state, name, breaker, well, unwell, reports[last - 1].item.asked_ms if last else 0)
    return marks, last if tripped else 0


def _lend(state: State, request: ClaimRequest, borrower: str) -> Lent:
    queue, gate = state.queues[request.queue], gates.read(state, request.queue)
    if gate.paused_until and gate.paused_until <= state.now:
        gate.paused, gate.paused_until = False, 0
    _take_back(state, request, queue, gate)
    if request.max == 0:
        return Lent(0, state.now)
    turns.end(state, borrower, request, queue)
    if gate.paused:
        return Lent(0, state.now)
    slots = claiming.free_slots(state, request, gate, queue)
    if slots <= 0:
        turns.keep(state, borrower, request, queue, gate)
        return Lent(0, state.now)
    before = {route: RouteGate(one.until, one.trial, one.tried) for route, one in gate.routes.items()}
    trials = {route: one.until for route, one in before.items() if gates.closed_until(state, gate, route) is None}
    for route in trials:
        gate.routes[route].until, gate.routes[route].trial = state.now + request.lease_ms, request.token
    for number in range(1, slots + 1):
        queue.leased[turns.lent_slot(request.token, number)] = state.now + request.lease_ms
    for limit in request.limits:
        state.grants[limit.key] = [*state.grants[limit.key], *[state.now] * slots][-limit.count :]
    turns.keep_of_home(state, request, queue, gate)
    return Lent(slots, state.now, state.openings[request.queue], Gate(routes=before, breaker=gate.breaker), trials)


def _take_back(state: State, request: ClaimRequest, queue: Queue, gate: Gate) -> None:
    unheard = tuple(f"lent|{token}|" for token in request.unheard)
    for id, ends in list(queue.leased.items()):
        if id.startswith("lent|") and (ends <= state.now or id.startswith(unheard)):
            turns.return_if_expired(state, id, ends, request.limits)
            del queue.leased[id]
    for token in request.unheard:
        for route in list(gate.routes):
            gates.end_trial(state, request.queue, route, token, "throttled")


def give_back(state: State, request: ReturnRequest) -> int:
    """Take back what is not used of what was lent. Returns how many slots of it were still lent."""
    queue, gate = state.queues[request.queue], gates.read(state, request.queue)
    unused = [turns.lent_slot(request.token, number) for number in range(request.used + 1, request.slots + 1)]
    returned = sum(queue.leased.pop(slot, None) is not None for slot in unused)
    for limit in request.limits:
        for _ in range(returned):
            turns.return_grant(state, limit.key, request.at)
    for trial in request.unused:
        closed = gate.routes.get(trial.route)
        if closed and closed.trial == request.token:
            closed.until, closed.trial = trial.closed_until, ""
    for begun in request.begun:
        closed = gate.routes.get(begun.route)
        if closed and closed.trial == request.token:
            closed.until += request.longer_ms
            closed.tried += not begun.blocked
    for number in range(1, request.used + 1):
        if (slot := turns.lent_slot(request.token, number)) in queue.leased:
            queue.leased[slot] += request.longer_ms
    return returned


def claim_granted(
    state: State, request: ClaimRequest, lent: Lent, taken: Sequence[str], due_after: Mapping[str, float]
) -> list[str]:
    """Take what the store has taken of a queue whose gate is in another shard. Returns what is poisoned."""
    queue, later = state.queues[request.queue], state.now - lent.at
    claiming.give_back_unheard(state, request, queue)
    poisoned = claiming.take_back_expired(state, request.queue, queue)
    routes = {route: RouteGate(one.until + later, one.trial, one.tried) for route, one in lent.gate.routes.items()}
    gate = Gate(routes=routes, breaker=lent.gate.breaker)
    _advance(state, request.queue, lent, gate)
    due = [id for id, at in queue.due.items() if at <= state.now]
    claiming.check_taken(state, request, gate, due, lent.slots, False, taken)
    claiming.take(state, request, gate, queue, taken, due_after)
    return poisoned


def _advance(state: State, name: str, lent: Lent, gate: Gate) -> None:
    """Make due what waits only because the sink failed, where its gate has opened since."""
    away = state.away[name]
    if lent.slots and lent.openings > away.openings:
        away.openings, away.advance = lent.openings, True
    waits = state.queues[name].due
    if not (lent.slots and away.advance) or "" in gate.routes or not (waits or state.queues[name].leased):
        return
    away.advance = False
    for id, at in waits.items():
        if at > state.now and state.deliveries[id].down:
            waits[id] = max(state.now, state.deliveries[id].down)


class _AwayWriter(Writer):
    """Writes what attempts came to where the gate is another shard's."""

    marks: Mapping[str, str]

    def _update_gates(self, item: Settlement, delivery) -> None:
        if mark := self.marks.get(item.delivery.id):
            delivery.blocked = delivery.blocked or mark


def settle(state: State, sink: str, items: Sequence[Settlement], marks: Mapping[str, str]) -> list[str]:
    """Write what attempts came to. Returns as `settling.settle`."""
    writer = _AwayWriter(state, f"sink:{sink}", sink, None, in_vain=False)
    writer.marks = marks
    answers = [writer.settle(item) for item in items]
    writer.finish()
    return answers


def find_faults(state: State, sink: str, marks: Mapping[str, str]) -> set[str]:
    """Return which deliveries were blocked though another arrived after that."""
    found = set()
    for id, mark in marks.items():
        openings, _, route = mark.partition("|")
        if state.openings[gates.openings_of(f"sink:{sink}", route)] > int(openings):
            found.add(id)
    return found
