"""One attempt: look up what may have arrived before, mark that bytes are about to leave, send.

Who makes attempts watches over their time, with one timer for many: one that is overdue is cancelled with `OVERDUE`.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from relay.errors import StoreUnavailable
from relay.logs import log
from relay.model import Delivery, Outcome, Record, Result
from relay.sinks.base import Sink
from relay.sinks.tools import Tools
from workers.sending_marks import SendingMarks

CUT = "cut off when the worker stopped"
OVERDUE = "no end within the sink's timeout"

T = TypeVar("T")


class AttemptResult(Record):
    """What an attempt came to. `looked_up`: the result is about an earlier one, and nothing was sent."""

    delivery: Delivery
    result: Result
    looked_up: bool = False


async def attempt(deliveries: Sequence[Delivery], sink: Sink, marks: SendingMarks, tools: Tools) -> list[AttemptResult]:
    """Make one attempt at what was claimed for one call; whose lease is lost is left out, and nothing of it was sent.

    Raises StoreUnavailable where nothing has left.
    """
    if len(deliveries) == 1:
        came = await _attempt_one(deliveries[0], sink, marks, tools)
        return [came] if came else []
    results = await _sent(sink, sink.send_batch(deliveries, tools))
    if isinstance(results, Result):
        results = [results] * len(deliveries)
    return [AttemptResult(delivery=d, result=result) for d, result in zip(deliveries, results, strict=True)]


async def _attempt_one(delivery: Delivery, sink: Sink, marks: SendingMarks, tools: Tools) -> AttemptResult | None:
    if sink.unsafe and delivery.sending:
        found = await _look_up(delivery, sink, tools)
        if found.outcome is not Outcome.RETRY or delivery.attempts >= sink.policy.attempts:
            return AttemptResult(delivery=delivery, result=found, looked_up=True)
    if refused := await _admit(delivery, sink, tools):
        return AttemptResult(delivery=delivery, result=refused)
    if sink.unsafe and not await marks.mark(delivery):
        log.warning("delivery.lost_lease", delivery_id=delivery.id, sink=sink.name)
        return None
    return AttemptResult(delivery=delivery, result=await _sent(sink, sink.send(delivery, tools)))


async def _admit(delivery: Delivery, sink: Sink, tools: Tools) -> Result | None:
    """Ask the sink's own policy."""
    try:
        return await sink.admit(delivery, tools)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  a defect in one sink must not stop it, nor hide
        log.exception("sink.failed", sink=sink.name, delivery_id=delivery.id)
        return Result(outcome=Outcome.RETRY, reason=f"the relay failed before sending: {type(error).__name__}")


async def _look_up(delivery: Delivery, sink: Sink, tools: Tools) -> Result:
    """Return what became of an attempt before this one. It waits for an answer rather than guess one."""
    if sink.policy.on_unknown != "lookup" or not sink.looks_up:
        return Result(outcome=Outcome.UNKNOWN, reason="the worker died while it was sending this")
    try:
        return await sink.lookup(delivery, tools)
    except asyncio.CancelledError as cut:
        return Result(outcome=Outcome.THROTTLED, reason=_why(cut), after_ms=0 if _why(cut) == CUT else None)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  a defect in one sink must not stop it, nor hide
        log.exception("sink.failed", sink=sink.name, delivery_id=delivery.id)
        return Result(outcome=Outcome.UNKNOWN, reason=f"the relay failed while looking up: {type(error).__name__}")


async def _sent(sink: Sink, sending: Awaitable[T]) -> T | Result:
    """Return what sending came to, or why there is no telling."""
    try:
        return await sending
    except asyncio.CancelledError as cut:
        return Result(outcome=Outcome.UNKNOWN, reason=_why(cut))
    except StoreUnavailable as error:  # a sink lets it through only while nothing has left
        return Result(outcome=Outcome.RETRY, reason=str(error))
    except Exception as error:  # noqa: BLE001  a defect in one sink must not stop it, nor hide
        log.exception("sink.failed", sink=sink.name)
        return Result(outcome=Outcome.UNKNOWN, reason=f"the relay failed while sending: {type(error).__name__}")


def _why(cut: asyncio.CancelledError) -> str:
    return OVERDUE if OVERDUE in cut.args else CUT
