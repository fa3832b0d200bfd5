"""No task ends unseen: what ends one is logged, and one that is to go on is begun again."""

import asyncio

import pytest
from structlog.testing import capture_logs

from relay.background import BackgroundTasks


async def fail() -> None:
    raise LookupError("nobody expected this")


async def end() -> None:
    """End, as if there were nothing left to do."""


async def await_what_is_cancelled() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


@pytest.mark.parametrize("way", [fail, end, await_what_is_cancelled])
def test_what_is_kept_is_told_of_and_begun_again_however_it_ends(way) -> None:
    runs, last = 0, asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            return await way()
        last.set()
        return await asyncio.get_running_loop().create_future()

    async def run() -> None:
        tasks = BackgroundTasks(pause_seconds=0)
        tasks.keep("a task", work)
        async with asyncio.timeout(60):
            await last.wait()
        await tasks.stop()

    with capture_logs() as lines:
        asyncio.run(run())
    assert [line["task"] for line in lines if line["event"] == "task.restarted"] == ["a task"] * 2
    assert sum(line["event"] == "task.failed" for line in lines) == (0 if way is end else 2)


def test_what_is_kept_may_end_once_its_process_stops() -> None:
    async def run() -> None:
        tasks = BackgroundTasks(stopping=lambda: True)
        tasks.keep("a task", end)
        await tasks.wait()

    with capture_logs() as lines:
        asyncio.run(run())
    assert lines == []


def test_a_single_piece_of_work_that_fails_is_told_of() -> None:
    async def run() -> None:
        tasks = BackgroundTasks()
        tasks.start("a task", fail())
        await tasks.wait()

    with capture_logs() as lines:
        asyncio.run(run())
    assert [(line["event"], line["task"]) for line in lines] == [("task.failed", "a task")]
