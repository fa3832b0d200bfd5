"""A worker says that it listens only while it hears what the store sends; what it hears it begins at once."""

import asyncio
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from relay.errors import StoreUnavailable
from relay.store.records import Handed
from tests.listening import PlayedWakeUps
from workers import listening
from workers.listening import Listening


class Worker:
    """Listening in a loop of its own, whose connections the test plays."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.connections: list[PlayedWakeUps] = []
        self.started: list[str] = []
        self.handed: list[Handed] = []
        self.away = False
        self.listening = Listening(self._open, self.started.append, self.handed.append)
        self._task = self.loop.create_task(self.listening.run())

    async def _open(self) -> PlayedWakeUps:
        if self.away:
            raise StoreUnavailable("it is away")
        self.connections.append(PlayedWakeUps())
        return self.connections[-1]

    def look(self, *, wanted: bool = True, listens: bool = True, hears: bool = True) -> bool:
        """Look as the ticker does. Returns whether it said that it listens."""
        said = self.run(self.listening.begin_look(wanted))
        if said and hears:
            self.connections[-1].send("")
        self.run(self.listening.end_look(said and listens))
        self.pass_time()
        return said

    def run(self, work):
        return self.loop.run_until_complete(work)

    def pass_time(self) -> None:
        for _ in range(10):
            self.run(asyncio.sleep(0))

    def close(self) -> None:
        self._task.cancel()
        self.run(asyncio.wait([self._task]))
        self.loop.close()


@pytest.fixture
def worker(monkeypatch) -> Iterator[Worker]:
    monkeypatch.setattr(listening, "PAUSE_SECONDS", 0)
    made = Worker()
    yield made
    made.close()


@pytest.fixture
def listener(worker) -> Worker:
    """One that has looked once, and is connected."""
    assert not worker.look()
    return worker


def test_without_work_it_does_not_even_connect(worker) -> None:
    assert not worker.look(wanted=False)
    assert worker.connections == []


def test_with_work_it_connects_first_and_says_it_with_the_next_look(worker) -> None:
    assert [worker.look(), worker.look(), worker.look()] == [False, True, True]
    assert len(worker.connections) == 1


def test_what_it_is_handed_over_is_worked_at(listener) -> None:
    handed = Handed(receipts=[], subscriptions_version=0, store_ms=1)
    listener.connections[0].send(handed)
    listener.pass_time()
    assert (listener.handed, listener.started) == ([handed], [])


def test_what_it_is_woken_for_begins(listener) -> None:
    listener.connections[0].send("inbox")
    listener.pass_time()
    assert listener.started == ["inbox"]


def test_once_its_work_is_done_it_says_nothing_and_keeps_its_connection(listener) -> None:
    assert not listener.look(wanted=False)
    assert listener.look()
    assert len(listener.connections) == 1


@pytest.mark.parametrize("how", ["closed", "unheard", "unknown"])
def test_a_lost_connection_is_not_said_to_listen_until_there_is_another(listener, how) -> None:
    match how:
        case "closed":
            listener.connections[0].fail()
            listener.pass_time()
        case "unheard":  # the store goes on sending to a connection of which nothing arrives
            assert listener.look(hears=False)
            assert not listener.look()
        case "unknown":  # it was made to a server that is not the store any more
            assert listener.look(listens=False, hears=False)
    listener.pass_time()
    assert listener.connections[0].closed
    assert listener.look()
    assert len(listener.connections) == 2


def test_while_the_store_is_away_it_tries_again_and_says_so_once(worker) -> None:
    worker.away = True
    with capture_logs() as lines:
        said = [worker.look() for _ in range(5)]
    assert not any(said)
    assert [line["event"] for line in lines] == ["listening.lost"]
    worker.away = False
    worker.pass_time()
    assert worker.look()


def test_one_that_stops_takes_nothing_more(listener) -> None:
    listener.run(listener.listening.stop())
    listener.pass_time()
    assert listener.connections[0].closed
    assert not listener.look()
    assert len(listener.connections) == 1


def test_a_connection_that_opens_while_the_worker_stops_is_closed(monkeypatch) -> None:
    monkeypatch.setattr(listening, "PAUSE_SECONDS", 0)
    opened = PlayedWakeUps()

    async def stop_meanwhile() -> None:
        hanging = asyncio.get_running_loop().create_future()

        async def open_later() -> PlayedWakeUps:
            await hanging
            return opened

        one = Listening(open_later, print, print)
        await one.begin_look(True)
        running = asyncio.create_task(one.run())
        await asyncio.sleep(0)
        await one.stop()
        hanging.set_result(None)
        await running

    asyncio.run(stop_meanwhile())
    assert opened.closed
