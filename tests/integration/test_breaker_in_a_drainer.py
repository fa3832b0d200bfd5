"""A destination refuses everything for a while: few attempts are spent, and all leave on its return."""

import asyncio
import time

from relay.model import Outcome, Result
from tests.integration.scripted_sink import ScriptedSink, make_drainer, open_tools, queue_deliveries

MANY = 120


class Refusing(ScriptedSink):
    """Refuses until it is back."""

    back = False
    attempts = 0

    async def send(self, delivery, tools):
        self.attempts += 1
        await asyncio.sleep(0.001)
        if self.back:
            return Result(outcome=Outcome.DELIVERED, reason="200 OK")
        return Result(outcome=Outcome.RETRY, reason="connection refused")


def test_what_waited_for_a_destination_leaves_when_it_is_back(run, store, namespace, reader):
    run(store.register_sinks({"books": "scripted"}))
    queue_deliveries(run, store, [b"{}"] * MANY)
    sink = Refusing(retry=["1h"] * 5, concurrency=4)

    async def state():
        return (await reader.sinks())[0]

    async def until(condition) -> None:
        async with asyncio.timeout(60):
            while not condition(await state()):  # noqa: ASYNC110  it is another process's state
                await asyncio.sleep(0.01)

    async def drain() -> None:
        async with open_tools(store, namespace) as tools:
            drainer = make_drainer(sink, store, tools)
            drainer.start()
            await until(lambda sink: sink.gate.breaker)
            sink.back = True
            await until(lambda sink: sink.pending == 0)
            await drainer.finish(time.monotonic() + 30)

    run(drain())
    assert sink.attempts < MANY + 30
    assert run(state()).dead == 0
