"""What closes and opens the gates of queues and routes: blocks, trials, the breaker, pauses."""

from relay.model import Breaker
from tests.integration.store.reference.state import Gate, RouteGate, Slots, State

TRIALS_AT_ONCE = 3
FORGOTTEN_MS = 3_600_000
BREAKER_FIRST_MS, BREAKER_MOST_MS = 1000, 60_000
WINDOW_SLOTS = 6
RAMP_AFTER_MS, RAMP_STEP_MS = 5000, 500


def read(state: State, queue: str) -> Gate:
    """Return a queue's gate. That of a route is open where for long nothing came that might be tried."""
    gate = state.gates[queue]
    for route, closed in list(gate.routes.items()):
        if route and closed.until < state.now - FORGOTTEN_MS:
            open_gate(state, queue, route)
    return gate


def closed_until(state: State, gate: Gate, route: str) -> int | None:
    """Return until when nothing may pass; None: all may, or a trial."""
    closed = gate.routes.get(route)
    if closed and closed.until > state.now and (closed.trial or closed.tried >= TRIALS_AT_ONCE):
        return closed.until
    return None


def write_gate_fact(state: State, kind: str, queue: str, route: str) -> None:
    """Note that a gate closed or opened, of a sink: an account's is none."""
    if queue.startswith("sink:"):
        state.write_fact(kind, route, queue.removeprefix("sink:"))


def may_pass(state: State, gate: Gate, route: str, blocked: bool) -> bool:
    """Say whether a delivery may pass a gate, as a trial where it is closed."""
    closed = gate.routes.get(route)
    if closed is None:
        return True
    return closed_until(state, gate, route) is None and (not blocked or closed.until <= state.now)


def begin_trial(gate: Gate, route: str, id: str, blocked: bool, lease_ends: int) -> None:
    """Let nothing else pass until it is known what a trial came to. Without effect on an open gate."""
    if closed := gate.routes.get(route):
        closed.until, closed.trial = lease_ends, id
        closed.tried += not blocked


def close(state: State, queue: str, route: str, id: str, ms: int, sure: bool) -> None:
    """Close a gate because of a delivery, unless a trial is out, which decides."""
    gate = state.gates[queue]
    before = gate.routes.get(route)
    if before and before.trial and before.trial != id and before.until > state.now:
        return
    if not route:
        gate.since = gate.since or state.now
        if before is None:
            state.count("closed", queue.removeprefix("sink:"))
    if before is None:
        write_gate_fact(state, "sink_closed", queue, route)
    tried = TRIALS_AT_ONCE if sure else before.tried if before else 0
    gate.routes[route] = RouteGate(until=state.now + ms, tried=tried)


def open_gate(state: State, queue: str, route: str) -> None:
    gate = state.gates[queue]
    gate.routes.pop(route, None)
    write_gate_fact(state, "sink_opened", queue, route)
    if route:
        return
    closed_ms = state.now - (gate.since or state.now)
    gate.since = 0
    if gate.breaker or closed_ms >= RAMP_AFTER_MS:
        gate.breaker, gate.ramp, gate.advance = False, state.now, True
        state.windows.pop(queue, None)


def end_trial(
    state: State, queue: str, route: str, id: str, outcome: str, breaker: Breaker | None = None, asked_ms: int = 0
) -> None:
    """Let what a trial came to open its gate. What says nothing about the gate is followed by another trial at once."""
    gate = state.gates[queue]
    closed = gate.routes.get(route)
    if closed is None or closed.trial != id:
        return
    if outcome in ("throttled", "blocked"):
        closed.until, closed.trial = state.now, ""
    elif not route and gate.breaker and breaker and outcome in ("retry", "unknown"):
        pause_ms = (state.now - gate.since) // 10
        own_ms = min(max(pause_ms, BREAKER_FIRST_MS), BREAKER_MOST_MS)
        closed.until, closed.trial = state.now + max(own_ms, asked_ms), ""
    else:
        open_gate(state, queue, route)
        if outcome == "delivered":
            state.openings[openings_of(queue, route)] += 1


def openings_of(queue: str, route: str) -> str:
    return f"{queue}|{route}" if route else queue


def watch(state: State, queue: str, breaker: Breaker | None, well: int, unwell: int, asked_ms: int) -> bool:
    """Count what attempts came to. Returns whether the breaker closes the gate now."""
    if well + unwell == 0 or breaker is None:
        return False
    _count_slots(state, state.windows[queue], breaker.window_ms, well, unwell)
    gate, counts = state.gates[queue], state.windows[queue].counts
    if not unwell or "" in gate.routes:
        return False
    failed = sum(n for (kind, _), n in counts.items() if kind == "failed")
    if counts.total() < breaker.minimum or failed < counts.total() * breaker.share:
        return False
    state.count("closed", queue.removeprefix("sink:"))
    write_gate_fact(state, "sink_closed", queue, "")
    gate.since, gate.breaker = state.now, True
    gate.routes[""] = RouteGate(until=state.now + max(BREAKER_FIRST_MS, asked_ms), tried=TRIALS_AT_ONCE)
    del state.windows[queue]
    return True


def _count_slots(state: State, window: Slots, window_ms: int, well: int, unwell: int) -> None:
    slot, any_new = state.now // (window_ms // WINDOW_SLOTS), False
    for kind, n in (("good", well), ("failed", unwell)):
        if n:
            any_new = any_new or (kind, slot) not in window.counts
            window.counts[kind, slot] += n
    if any_new:
        for kind, of in list(window.counts):
            if of <= slot - WINDOW_SLOTS:
                del window.counts[kind, of]
        window.until = state.now + window_ms


def set_pause(state: State, queue: str, act: str, until: int) -> bool:
    """Pause a queue, or resume it and open what its answers closed. Returns whether it was done."""
    gate = read(state, queue)
    if act == "pause":
        if gate.paused:
            return False
        gate.paused, gate.paused_until = True, until
        return True
    if not gate.paused and not gate.routes:
        return False
    gate.paused, gate.paused_until = False, 0
    for route in list(gate.routes):
        open_gate(state, queue, route)
    return True
