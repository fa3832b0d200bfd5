"""A broker that hangs or is lost delays nothing: a bell is tried for a short time, and then none for a while."""

import asyncio
import threading
from contextlib import contextmanager

import pytest
from celery import Celery
from structlog.testing import capture_logs

from relay import bells
from relay.bells import Ringer, broker_settings


class Broker:
    """What the ringer knows of Celery. `fails` raises, `hangs` waits until it is let go."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.fails = False
        self.hangs = False
        self.let_go = threading.Event()
        self.connection = self

    @contextmanager
    def producer_or_acquire(self):
        yield self

    def collect(self) -> None:
        pass

    def revive(self, connection) -> None:
        pass

    def send_task(self, name, args=(), producer=None) -> None:
        self.tried.append(args[0] if args else name)
        if self.hangs:
            self.let_go.wait(60)
        if self.fails:
            raise OSError("no broker")


class Bells:
    """What the ringer knows of the store."""

    def __init__(self) -> None:
        self.cleared: list[str] = []

    async def clear_bell(self, *queues) -> None:
        self.cleared += queues


@pytest.fixture
def broker():
    broker = Broker()
    yield broker
    broker.let_go.set()


def test_bells_are_published_and_stay_set(broker) -> None:
    store = Bells()
    asyncio.run(Ringer(broker, store).ring(["inbox", "sink:a", "jobs"]))
    assert (broker.tried, store.cleared) == ([bells.ROUTE, "sink:a", bells.RUN_JOBS], [])


def test_with_the_broker_lost_none_is_tried_for_a_while_and_all_are_cleared(broker) -> None:
    store, now = Bells(), 0.0
    ringer = Ringer(broker, store, lambda: now)
    broker.fails = True
    with capture_logs() as lines:
        asyncio.run(ringer.ring(["sink:a", "sink:b"]))
        asyncio.run(ringer.ring(["sink:c"]))
    assert broker.tried == ["sink:a", "sink:a"]  # once more over a new connection, and then none
    assert store.cleared == ["sink:a", "sink:b", "sink:c"]
    assert [line["event"] for line in lines] == ["bell.failed"]

    broker.fails, now = False, bells.PAUSE_SECONDS
    asyncio.run(ringer.ring(["sink:d"]))
    assert (broker.tried[-1], store.cleared[-1]) == ("sink:d", "sink:c")


def test_a_broker_that_hangs_is_left_and_what_it_was_to_get_is_not_sent_later(broker, monkeypatch) -> None:
    monkeypatch.setattr(bells, "RING_SECONDS", 0.05)
    store = Bells()
    broker.hangs = True

    async def ring() -> None:
        ringer = Ringer(broker, store)
        await ringer.ring(["sink:a", "sink:b"])
        await ringer.ring(["sink:c"])
        assert store.cleared == ["sink:a", "sink:b", "sink:c"]
        broker.let_go.set()

    asyncio.run(ring())
    assert broker.tried == ["sink:a"]


def test_celery_does_not_read_the_broker_s_address_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes its variables before its settings, and kombu knows no `unix://` nor `redis+sentinel://`."""
    monkeypatch.setenv("CELERY_BROKER_URL", "unix:///tmp/bells.sock?db=2")
    app = Celery("relay")
    app.conf.update(broker_settings("unix:///tmp/bells.sock?db=2", "relay"))
    for connection in (app.connection_for_read(), app.connection_for_write()):
        assert connection.as_uri() == "redis+socket:///tmp/bells.sock"


def test_sentinels_that_hang_hold_up_no_bell_for_long() -> None:
    options = broker_settings("redis+sentinel://one,two/books", "relay")["broker_transport_options"]
    assert options["master_name"] == "books"
    assert options["global_keyprefix"] == "relay:"
    assert options["sentinel_kwargs"] == {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}
