"""A worker deletes the bell before it begins the work: what arrives from then on rings again."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from relay.errors import StoreUnavailable
from relay.store.shard_list import FIRST
from workers.process import WorkerProcess
from workers.shard_work import ShardWork


class BellRecorder(ShardWork):
    """The work on a shard of which only the handling of bells is there. `away`: its store does not answer."""

    def __init__(self, *, away: bool = False) -> None:
        self.order: list[str] = []
        self._away = away
        self.store = self._hearing = self

    def note_heard(self) -> None:
        self.order.append("heard")

    async def clear_bell(self, queue: str) -> None:
        self.order.append(f"cleared {queue}")
        if self._away:
            raise StoreUnavailable("it is away")

    def start_queue(self, queue: str) -> None:
        self.order.append(f"started {queue}")


class BellProcess(WorkerProcess):
    """A process of which only the handling of bells is there."""

    def __init__(self, loop: asyncio.AbstractEventLoop, works: dict[str, BellRecorder]) -> None:
        self._loop = loop
        self._works = works


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def take(process: BellProcess, bell: str, *arguments: str) -> None:
    """Take a bell as a Celery task does, and wait until the loop has done what came of it."""
    getattr(process, bell)(*arguments)
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), process._loop).result()


@pytest.mark.parametrize(("bell", "queue"), [("route", "inbox"), ("run_jobs", "jobs"), ("drain", "sink:books")])
def test_the_bell_goes_first(bell: str, queue: str, loop: asyncio.AbstractEventLoop) -> None:
    work = BellRecorder()
    take(BellProcess(loop, {FIRST: work}), bell, *([queue] if bell == "drain" else []))
    assert work.order == ["heard", f"cleared {queue}", f"started {queue}"]


def test_a_bell_that_cannot_be_deleted_begins_the_work_all_the_same(loop: asyncio.AbstractEventLoop) -> None:
    work = BellRecorder(away=True)
    take(BellProcess(loop, {FIRST: work}), "route")
    assert work.order == ["heard", "cleared inbox", "started inbox"]


def test_the_bell_of_a_further_shard_begins_work_there_alone(loop: asyncio.AbstractEventLoop) -> None:
    first, further = BellRecorder(), BellRecorder()
    take(BellProcess(loop, {FIRST: first, "01": further}), "drain", "01/inbox")
    assert (first.order, further.order) == (["heard"], ["heard", "cleared inbox", "started inbox"])
