"""Make one attempt: look up what an earlier one may have done, mark that bytes are about to leave, send.

The drainer limits the time of all its attempts with one timer: it cancels an overdue one with the message `OVERDUE`.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import msgspec

from relay.errors import StoreUnavailable
from relay.logs import log
from relay.model import Delivery, Outcome, Record, Result
from relay.sinks.base import Sink
from relay.sinks.tools import Tools
from workers.sending_marks import SendingMarks

STOPPED = "interrupted because the worker stopped"
OVERDUE = "not finished within the sink's timeout"
NOT_SENT_MS = 1000  # until it is tried again

T = TypeVar("T")


class AttemptResult(Record):
    """What came of an attempt.

    `looked_up`: the result is about an earlier attempt, and nothing was sent now. `probed`: nothing was sent either, as
    the sink's free call says that it is still down.
    """

    delivery: Delivery
    result: Result
    looked_up: bool = False
    probed: bool = False


async def attempt(deliveries: Sequence[Delivery], sink: Sink, marks: SendingMarks, tools: Tools) -> list[AttemptResult]:
    """Send the deliveries of one call, and return a result for each.

    A delivery whose lease is lost is left out, and nothing of it was sent. Raises StoreUnavailable where nothing was
    sent at all.
    """
    if len(deliveries) == 1:
        only = await _attempt_one(deliveries[0], sink, marks, tools)
        return [only] if only else []
    results = await _send(sink, sink.send_batch(deliveries, tools))
    if isinstance(results, Result):
        results = [results] * len(deliveries)
    return [AttemptResult(delivery=d, result=result) for d, result in zip(deliveries, results, strict=True)]


async def _attempt_one(delivery: Delivery, sink: Sink, marks: SendingMarks, tools: Tools) -> AttemptResult | None:
    repeatable = sink.repeatable(delivery)
    if delivery.trial and (refusal := await _probe(sink, tools)):
        return AttemptResult(delivery=delivery, result=refusal, probed=True)
    if delivery.sending and not repeatable:
        found = await _look_up(delivery, sink, tools)
        if found.outcome is not Outcome.RETRY or delivery.attempts >= sink.policy.attempts:
            return AttemptResult(delivery=delivery, result=found, looked_up=True)
    if sink.may_refuse and (refusal := await _check_admission(delivery, sink, tools)):
        return AttemptResult(delivery=delivery, result=refusal)
    if not repeatable:
        marked = await _mark(delivery, marks)
        if isinstance(marked, Result):
            return AttemptResult(delivery=delivery, result=marked)
        if not marked:
            log.warning("delivery.lost_lease", delivery_id=delivery.id, sink=sink.name)
            return None
    result = await _send(sink, sink.send(delivery, tools))
    if result.outcome is Outcome.UNKNOWN and repeatable and sink.policy.on_unknown != "retry":
        result = msgspec.structs.replace(result, outcome=Outcome.RETRY)
    return AttemptResult(delivery=delivery, result=result)


async def _mark(delivery: Delivery, marks: SendingMarks) -> bool | Result:
    """Mark that bytes are about to leave. Where the answer is lost, return a result that takes the mark back.

    The store may have the mark all the same, and who finds it holds what never left.
    """
    try:
        return await marks.mark(delivery)
    except StoreUnavailable as error:
        reason = str(error)
    except asyncio.CancelledError as cancelled:
        reason = _cancel_reason(cancelled)
    return _nothing_sent(reason)


def _nothing_sent(reason: str) -> Result:
    return Result(outcome=Outcome.THROTTLED, reason=f"nothing was sent: {reason}", after_ms=NOT_SENT_MS)


def not_sent(delivery: Delivery, reason: str) -> AttemptResult:
    """Return what came of an attempt in which nothing was sent. What an earlier one may have sent stays unknown."""
    return AttemptResult(delivery=delivery, result=_nothing_sent(reason), looked_up=delivery.sending)


async def _probe(sink: Sink, tools: Tools) -> Result | None:
    """Ask a sink that was down by its free call. Returns why it still is; None where it is not, or has no such call."""
    try:
        probe = await sink.probe(tools)
    except asyncio.CancelledError as cancelled:
        return Result(outcome=Outcome.RETRY, reason=f"its probe: {_cancel_reason(cancelled)}")
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001  a defect of a probe must not keep deliveries back
        log.exception("sink.failed", sink=sink.name)
        return None
    if probe is None or probe.ok:
        return None
    return Result(outcome=Outcome.RETRY, reason=f"its probe: {probe.message}")


async def _check_admission(delivery: Delivery, sink: Sink, tools: Tools) -> Result | None:
    """Ask the sink's own policy; return why it may not be sent now, or None where it may."""
    try:
        return await sink.admit(delivery, tools)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  a defect in one sink must not stop it, nor hide
        log.exception("sink.failed", sink=sink.name, delivery_id=delivery.id)
        return Result(outcome=Outcome.RETRY, reason=f"internal error before sending: {type(error).__name__}")


async def _look_up(delivery: Delivery, sink: Sink, tools: Tools) -> Result:
    """Return what became of the attempt before this one; where the sink does not answer, ask again later."""
    if sink.policy.on_unknown != "lookup" or not sink.looks_up:
        return Result(outcome=Outcome.UNKNOWN, reason="the worker died while it was sending this")
    try:
        return await sink.lookup(delivery, tools)
    except asyncio.CancelledError as cancelled:
        reason = _cancel_reason(cancelled)
        return Result(outcome=Outcome.THROTTLED, reason=reason, after_ms=0 if reason == STOPPED else None)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  a defect in one sink must not stop it, nor hide
        log.exception("sink.failed", sink=sink.name, delivery_id=delivery.id)
        return Result(outcome=Outcome.UNKNOWN, reason=f"internal error during the look-up: {type(error).__name__}")


async def _send(sink: Sink, sending: Awaitable[T]) -> T | Result:
    """Return what the sink returns, or a result that says why it is not known."""
    try:
        return await sending
    except asyncio.CancelledError as cancelled:
        return Result(outcome=Outcome.UNKNOWN, reason=_cancel_reason(cancelled))
    except StoreUnavailable as error:  # a sink lets it through only while nothing has left
        return Result(outcome=Outcome.RETRY, reason=str(error))
    except Exception as error:  # noqa: BLE001  a defect in one sink must not stop it, nor hide
        log.exception("sink.failed", sink=sink.name)
        return Result(outcome=Outcome.UNKNOWN, reason=f"internal error while sending: {type(error).__name__}")


def _cancel_reason(cancelled: asyncio.CancelledError) -> str:
    return OVERDUE if OVERDUE in cancelled.args else STOPPED
