"""A destination refuses everything for a while: few attempts are spent, and all leave on its return."""

import asyncio
import time

import pytest

from relay.model import DeliveryState, Outcome, Result
from relay.sinks.base import ProbeResult
from relay.store.keys import sink_queue
from tests.integration.scripted_sink import ScriptedSink, make_drainer, open_tools, queue_deliveries

MANY = 120


class Refusing(ScriptedSink):
    """Refuses until it is back."""

    back = False
    refused = 0
    has_free_call = False

    async def send(self, delivery, tools):
        await asyncio.sleep(0.001)
        if self.back:
            return Result(outcome=Outcome.DELIVERED, reason="200 OK")
        self.refused += 1
        return Result(outcome=Outcome.RETRY, reason="connection refused")

    async def probe(self, tools):
        return ProbeResult(ok=self.back, message="connection refused") if self.has_free_call else None


class Trials:
    """A drainer of a sink, and what its gate's history says of trials."""

    def __init__(self, store, namespace, reader, sink) -> None:
        self._store, self._namespace, self._reader, self._sink = store, namespace, reader, sink

    async def failed(self) -> int:
        """Return how many trials have failed."""
        history = await self._reader.gate_history(sink_queue("books"))
        return sum(one.times for one in history if one.change == "still closed")

    async def pending(self) -> int:
        """Return how many deliveries wait."""
        return (await self._reader.sinks())[0].pending

    async def until(self, condition) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(120):
            while not await condition():  # noqa: ASYNC110  it is the store's state
                await asyncio.sleep(0.01)

    async def run(self) -> list[int]:
        """Drain until all has left. Returns how many were refused until the first trial failed, and the second."""
        async with open_tools(self._store, self._namespace) as tools:
            drainer = make_drainer(self._sink, self._store, tools)
            drainer.start()
            refused = []
            for times in (1, 2):
                await self.until(lambda times=times: self._has_failed(times))
                refused.append(self._sink.refused)
            self._sink.back = True
            await self.until(self._is_done)
            await drainer.finish(time.monotonic() + 30)
            return refused

    async def _has_failed(self, times: int) -> bool:
        return await self.failed() >= times

    async def _is_done(self) -> bool:
        return await self.pending() == 0


@pytest.mark.parametrize("has_free_call", [False, True])
def test_what_waited_for_a_destination_leaves_when_it_is_back(run, store, namespace, reader, has_free_call):
    run(store.registry.add_sinks({"books": "scripted"}))
    queue_deliveries(run, store, [b"{}"] * MANY)
    sink = Refusing(retry=["1h"] * 5, concurrency=4)
    sink.has_free_call = has_free_call
    first, second = run(Trials(store, namespace, reader, sink).run())
    assert (second == first) is has_free_call
    assert sink.refused < 30
    assert run(reader.sinks())[0].dead == 0


def test_trials_cost_a_delivery_no_attempts(run, store, namespace, reader):
    run(store.registry.add_sinks({"books": "scripted"}))
    ids = queue_deliveries(run, store, [b"{}"] * 10)
    sink = Refusing(retry=["1h"], concurrency=10)  # two attempts
    run(Trials(store, namespace, reader, sink).run())
    assert {one.state for one in run(reader.deliveries(ids))} == {DeliveryState.DELIVERED}
