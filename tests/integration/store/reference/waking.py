"""Which worker is called to a queue where something became due: one that listens, or one that sleeps, by a bell.

A few small hooks it is handed over at once.
"""

from collections.abc import Collection, Sequence

from relay.store.keys import INBOX
from tests.integration.store.reference.state import State

LISTENS_MS = 3000
ITEMS_A_WORKER = 50
MOST_HANDED, MOST_HANDED_BYTES = 4, 8192
HANDED_MS = 500


def look(state: State, worker: str, listens: bool) -> bool:
    """Return whether a worker that looked listens now."""
    if listens and worker in state.connected:
        state.listeners[worker] = state.now + LISTENS_MS
        return True
    state.listeners.pop(worker, None)
    return False


def call_workers(
    state: State, waiting: int, stored: Sequence[str], *, called_before: bool, bells: Collection[str]
) -> tuple[list[str], bool]:
    """Return whom a script wakes, and whether it sets the bell, where the `stored` ones of those that wait are new.

    `called_before`: somebody was called already; `bells`: those that are set.
    """
    if not stored:
        return [], False
    added, handed = len(stored), _count_handed(state, stored)
    called = _needed(handed + waiting - added) if called_before else 0
    needed = _needed(handed + (waiting if called_before else added))
    awake = _awake(state)
    rings = called <= len(awake) < needed and (f"{INBOX}:more" if awake else INBOX) not in bells
    return awake[called:needed], rings


def hand_over(state: State, ids: Sequence[str]) -> str:
    """Return the listener that is handed over what was stored, "" where it waits for a claim."""
    inbox, awake = state.queues[INBOX], _awake(state)
    if not ids or not _are_small(state, ids) or len(inbox.leased) >= ITEMS_A_WORKER or not awake:
        return ""
    for id in ids:
        del inbox.due[id]
        inbox.leased[id] = state.now + HANDED_MS
    return awake[0]


def _are_small(state: State, ids: Sequence[str]) -> bool:
    return len(ids) <= MOST_HANDED and sum(state.receipts[id].size for id in ids) <= MOST_HANDED_BYTES


def _count_handed(state: State, stored: Sequence[str]) -> int:
    """Return how many were handed over and are not routed: where it may be one who listens that has them."""
    if _are_small(state, stored) and all(until < state.now for until in state.listeners.values()):
        return 0
    return sum(ends <= state.now + HANDED_MS for ends in state.queues[INBOX].leased.values())


def _awake(state: State) -> list[str]:
    return [name for name, until in sorted(state.listeners.items()) if until >= state.now and name in state.connected]


def _needed(waiting: int) -> int:
    return 1 + waiting // ITEMS_A_WORKER
