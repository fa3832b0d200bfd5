"""Hooks become receipts, or are duplicates of some."""

from collections.abc import Sequence

from relay.store.records import Hook, LateAnswer
from tests.integration.store.reference.state import DUPLICATE_MS, Known, ReceiptModel, Remembered, State

REMEMBERED = 8
OVERTAKEN_MS = 600_000


def accept(state: State, hooks: Sequence[Hook], late: Sequence[LateAnswer]) -> tuple[list[tuple[str, bool]], list[str]]:
    """Return the answers, and the late answers of which nothing is known."""
    unknown = [answer for answer in late if not _mark_late(state, answer)]
    for one in unknown:  # ids are in the order of time: what is remembered and greater came after it
        newest = next((id for id, _ in _lines(state, one.source, one.digest)), "")
        if newest > one.id:
            _note_overtaken(state, one.id, newest)
    overtaken = {id: receipt for id, (receipt, _) in state.overtaken.items()}
    answers = []
    for hook in hooks:
        was_stored = hook.id in state.receipts
        answers.append(_accept_one(state, hook, overtaken.get(hook.id, "")))
        for one in unknown if not was_stored else ():
            if (one.source, one.digest) == (hook.source, hook.digest):
                _note_overtaken(state, one.id, answers[-1][0])
    return answers, [one.id for one in unknown]


def _note_overtaken(state: State, id: str, receipt: str) -> None:
    if id != receipt:
        state.overtaken[id] = receipt, state.now + OVERTAKEN_MS


def _known(state: State, id: str) -> Known | None:
    return state.receipts[id].known if id in state.receipts else state.retired.get(id)


def _lines(state: State, source: str, digest: str) -> list[tuple[str, str]]:
    remembered = state.remembered.get((source, digest))
    return remembered.lines if remembered else []


def _mark_late(state: State, answer: LateAnswer) -> bool:
    known = _known(state, answer.id)
    for first, _ in _lines(state, answer.source, answer.digest) if known is None else ():
        one = _known(state, first)
        if one and one.repeated_by == answer.id:
            known = one
            break
    if known and state.now - known.at < DUPLICATE_MS:
        known.late = True
    return known is not None


def _repeated(state: State, hook: Hook) -> str:
    """Return the receipt that a hook repeats; one that was answered late is repeated once, the oldest first."""
    oldest_late = ""
    for id, request_id in _lines(state, hook.source, hook.digest):
        known = _known(state, id)
        if known is None or state.now - known.at >= DUPLICATE_MS:
            continue
        if hook.timed or (request_id and request_id == hook.request_id) or known.repeated_by == hook.id:
            return id
        if known.late:
            oldest_late = id
    if oldest_late:
        known = _known(state, oldest_late)
        assert known
        known.late, known.repeated_by = False, hook.id
    return oldest_late


def _accept_one(state: State, hook: Hook, overtaken_by: str) -> tuple[str, bool]:
    if hook.id in state.receipts:  # by an earlier call, whose answer was lost
        return hook.id, False
    if first := overtaken_by or _repeated(state, hook):
        if first in state.receipts:
            state.receipts[first].dups += 1
        state.count("receipt", hook.source, "duplicate")
        return first, True
    state.receipts[hook.id] = ReceiptModel(source=hook.source, size=len(hook.body), known=Known(state.now))
    state.queues["inbox"].due[hook.id] = state.now
    before = _lines(state, hook.source, hook.digest)[: REMEMBERED - 1]
    told = "" if hook.timed else hook.request_id  # of a body with a change time the bytes alone tell
    lines = [(hook.id, told), *before]
    state.remembered[hook.source, hook.digest] = Remembered(lines, state.now + DUPLICATE_MS)
    state.count("receipt", hook.source, "recovered" if hook.recovered else "accepted")
    state.count("bytes", hook.source, n=len(hook.body))
    return hook.id, False
