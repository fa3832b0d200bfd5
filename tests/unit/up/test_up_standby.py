"""The spare web process: there is one when it is needed, and it takes no processor from the one that is to serve."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relay.up.child_processes import ChildProcess
from relay.up.standby import WebStandby


class Spawned(list[ChildProcess]):
    """The spare processes that were started: none is real, and each has its end of the pipe open."""

    def __init__(self) -> None:
        super().__init__()
        self.pipes: list[int] = []

    def __call__(self, pipe: int) -> ChildProcess:
        self.pipes.append(os.dup(pipe))
        loop = asyncio.get_running_loop()
        self.append(ChildProcess("web:spare", len(self), loop.create_future(), loop.create_future()))
        return self[-1]


@asynccontextmanager
async def keeping(spawned: Spawned) -> AsyncIterator[WebStandby]:
    standby = WebStandby(spawned)
    task = asyncio.create_task(standby.keep())
    yield standby
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for pipe in spawned.pipes:
        os.close(pipe)


async def settle() -> None:
    """Let everything go on that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_another_is_started_when_the_one_that_was_taken_serves() -> None:
    async def take_one() -> tuple[int, int]:
        spawned = Spawned()
        async with keeping(spawned) as standby:
            taken = await standby.take()
            await settle()
            meanwhile = len(spawned)
            taken.ready.set_result(True)
            await settle()
            return meanwhile, len(spawned)

    assert asyncio.run(take_one()) == (1, 2)


def test_where_several_are_wanted_none_waits_for_another_to_serve() -> None:
    async def take_three() -> list[int]:
        spawned = Spawned()
        async with keeping(spawned) as standby:
            taken = await asyncio.wait_for(asyncio.gather(*(standby.take() for _ in range(3))), 60)
            return [process.pid for process in taken]

    assert asyncio.run(take_three()) == [0, 1, 2]


def test_one_that_ended_before_it_served_is_replaced() -> None:
    async def lose_one() -> int:
        spawned = Spawned()
        async with keeping(spawned) as standby:
            taken = await standby.take()
            taken.ready.set_result(False)  # it can no longer say so
            await asyncio.wait_for(standby.take(), 60)
            return len(spawned)

    assert asyncio.run(lose_one()) == 2
