"""One timer serves the deadlines of many calls, and passes at the time of the one that is waited for."""

import asyncio

from relay.deadline import Deadline

FAR = 3600.0


def test_it_passes_at_its_time() -> None:
    async def run() -> bool:
        passed = asyncio.Event()
        deadline = Deadline(passed.set)
        loop = asyncio.get_running_loop()
        deadline.begin(loop.time(), loop)
        async with asyncio.timeout(60):
            await passed.wait()
        return deadline.passed

    assert asyncio.run(run())


def test_one_that_is_earlier_than_the_one_before_passes_first() -> None:
    """A sink with a short timeout may use the connection of one with a long timeout."""

    async def run() -> bool:
        passed = asyncio.Event()
        deadline = Deadline(passed.set)
        loop = asyncio.get_running_loop()
        deadline.begin(loop.time() + FAR, loop)
        deadline.end()
        deadline.begin(loop.time(), loop)
        async with asyncio.timeout(60):
            await passed.wait()
        return deadline.passed

    assert asyncio.run(run())


def test_one_that_has_ended_does_not_pass_nor_the_next_before_its_time() -> None:
    async def run() -> tuple[bool, bool]:
        passed, other = asyncio.Event(), asyncio.Event()
        deadline, later = Deadline(passed.set), Deadline(other.set)
        loop = asyncio.get_running_loop()
        deadline.begin(loop.time(), loop)
        deadline.end()
        deadline.begin(loop.time() + FAR, loop)
        later.begin(loop.time(), loop)  # behind the timer of the first one
        async with asyncio.timeout(60):
            await other.wait()
        return passed.is_set(), deadline.passed

    assert asyncio.run(run()) == (False, False)
