"""A worker deletes the bell before it begins the work: what arrives from then on rings again."""

import asyncio

import pytest

from workers.process import WorkerProcess


class Recorder(WorkerProcess):
    """A process of which only the handling of bells is there."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self._loop = self._store = self._hearing = self

    def note_heard(self) -> None:
        pass

    async def clear_bell(self, queue: str) -> None:
        self.order.append(f"cleared {queue}")

    def call_soon_threadsafe(self, _, queue: str) -> None:
        self.order.append(f"started {queue}")

    def run(self, work):
        return asyncio.run(work)


@pytest.mark.parametrize(("bell", "queue"), [("route", "inbox"), ("run_jobs", "jobs"), ("drain", "sink:books")])
def test_the_bell_goes_first(bell, queue):
    process = Recorder()
    getattr(process, bell)(*([queue] if bell == "drain" else []))
    assert process.order == [f"cleared {queue}", f"started {queue}"]
