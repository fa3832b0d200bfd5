"""When there is next something to do, and whether anybody looks then."""

import math
from collections.abc import Mapping, Sequence

from relay.model import Limit
from tests.integration.invariants import StoreContents
from tests.integration.store.reference import gates
from tests.integration.store.reference.state import State

ASK_MS = 1000


def unwatched(
    state: State, seen: StoreContents, concurrency: Mapping[str, int], limits: Mapping[str, Sequence[Limit]]
) -> list[str]:
    """Name the queues in which something may be done before anybody looks at them."""
    wake, found = seen.members("wake:"), []
    for name in state.queues:
        at = first_chance(state, name, concurrency.get(name, 0), limits.get(name, ()))
        if wake.get(name, math.inf) > max(at, state.now):
            found.append(f"{name} is looked at {wake.get(name)}, there is something to do at {at}, now is {state.now}")
    return found


def unasked(state: State, seen: StoreContents) -> list[str]:
    """Name the queues with something due whose home is not asked for a second and more."""
    wake = seen.members("wake:")
    return [
        f"{name} is looked at {wake.get(name)}, now is {state.now}"
        for name, queue in state.queues.items()
        if queue.due and wake.get(name, math.inf) > max(min(queue.due.values()), state.now) + ASK_MS
    ]


def first_chance(state: State, name: str, concurrency: int, limits: Sequence[Limit]) -> float:
    """Return when something of a queue may be taken, or a lease of it runs out; infinite where nothing does."""
    queue, gate = state.queues[name], state.gates[name]
    lease_ends = min(queue.leased.values(), default=math.inf)
    if gate.paused:
        return min(lease_ends, gate.paused_until or math.inf) if queue.due else lease_ends
    if not queue.due or (concurrency and queue.started >= concurrency):
        return lease_ends
    at: float = min(queue.due.values())
    if "" in gate.routes:
        at = max(at, gate.routes[""].until)
    elif gate.ramp:
        at = max(at, gate.ramp + ((state.now - gate.ramp) // gates.RAMP_STEP_MS + 1) * gates.RAMP_STEP_MS)
    for limit in limits:
        # One that is kept for a moment to come may be among them: then they are more than the limit counts.
        newest = state.grants[limit.key][-limit.count :]
        if len(newest) == limit.count and newest[0] > state.now - limit.per_ms:
            at = max(at, newest[0] + limit.per_ms)
    return min(at, lease_ends)
