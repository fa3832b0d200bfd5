"""A consumer that takes no bells although some wait is told, connects anew, and at last its process ends."""

import asyncio

import pytest
from structlog.testing import capture_logs

from workers.hearing import DEAF_SECONDS, Hearing


class Process:
    """A worker process: what its consumer does, and what is done about it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting: int | Exception = 3
        self.done: list[str] = []
        self.hearing = Hearing(
            self._count, lambda: self.done.append("restart"), lambda: self.done.append("end"), lambda: self.now
        )

    async def _count(self) -> int:
        if isinstance(self.waiting, Exception):
            raise self.waiting
        return self.waiting

    def check_after(self, seconds: float) -> list[str]:
        self.now += seconds
        asyncio.run(self.hearing.check())
        return self.done


@pytest.fixture
def process() -> Process:
    process = Process()
    process.hearing.note_rung()
    return process


def test_one_that_hears_is_left_alone(process) -> None:
    process.hearing.note_heard()
    assert process.check_after(DEAF_SECONDS) == []


def test_nothing_is_said_before_its_time(process) -> None:
    assert process.check_after(DEAF_SECONDS - 1) == []


def test_where_other_workers_took_the_bells_it_is_not_deaf(process) -> None:
    process.waiting = 0
    assert process.check_after(DEAF_SECONDS) == []


@pytest.mark.parametrize("error", [OSError("away"), TimeoutError()])
def test_while_the_broker_is_away_there_is_nothing_to_hear(process, error) -> None:
    process.waiting = error
    assert process.check_after(DEAF_SECONDS) == []


def test_it_connects_anew_and_where_that_did_not_help_the_process_ends(process) -> None:
    with capture_logs() as lines:
        assert process.check_after(DEAF_SECONDS) == ["restart"]
        assert process.check_after(DEAF_SECONDS - 1) == ["restart"]
        assert process.check_after(1) == ["restart", "end"]
    assert [(line["event"], line["waiting"]) for line in lines] == [("consumer.deaf", 3)] * 2


def test_one_that_hears_again_begins_anew(process) -> None:
    process.check_after(DEAF_SECONDS)
    process.hearing.note_heard()
    process.hearing.note_rung()
    assert process.check_after(DEAF_SECONDS) == ["restart", "restart"]
