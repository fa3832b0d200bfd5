"""Workers that listen are killed or stopped; wake-ups are lost, come late and twice."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from relay.store.keys import Keys
from tests.chaos.faults.common import OUTAGE_SECONDS, open_store, refusing, stopped
from tests.chaos.relay_under_test import RelayUnderTest
from tests.e2e.harness import until

_WORKERS = ("worker", "worker:2")


def kill_listeners(relay: RelayUnderTest, _: random.Random) -> None:
    """Of two workers that which is woken is killed, three times."""
    with _two_workers(relay):
        for _ in range(3):
            killed = _woken(relay)
            relay.processes.kill(killed)
            time.sleep(1)
            relay.processes.start(killed)


def stop_listener(relay: RelayUnderTest, _: random.Random) -> None:
    """Of two workers that which is woken is stopped: its connection goes on taking wake-ups."""
    with _two_workers(relay), stopped(relay.processes.pid(_woken(relay))):
        time.sleep(OUTAGE_SECONDS)


@contextmanager
def _two_workers(relay: RelayUnderTest) -> Iterator[None]:
    """Run another worker, and refuse all meanwhile: so there is work, and somebody listens."""
    with refusing(relay):
        relay.processes.start("worker:2")
        yield
    relay.processes.stop("worker:2")


def _woken(relay: RelayUnderTest) -> str:
    """Return which worker is woken for what arrives."""
    with open_store(relay) as store:
        first = min(until(lambda: store.zrange(Keys().listeners, 0, -1), what="a listener"))
    pid = int(first.split(":")[-2])
    return next(name for name in _WORKERS if relay.processes.pid(name) == pid)


def close_listening_connections(relay: RelayUnderTest, chance: random.Random) -> None:
    with open_store(relay) as store:
        for _ in range(20):
            store.client_kill_filter(_type="pubsub")
            time.sleep(chance.uniform(0.2, 0.6))


def lose_wake_ups(relay: RelayUnderTest, _: random.Random) -> None:
    _change_wake_ups(relay, lambda wake_up: b"")


def repeat_wake_ups_late(relay: RelayUnderTest, _: random.Random) -> None:
    """Each comes with the next one, twice."""
    late = [b""]

    def keep(wake_up: bytes) -> bytes:
        before, late[0] = late[0], wake_up
        return before * 2

    _change_wake_ups(relay, keep)


def _change_wake_ups(relay: RelayUnderTest, change: Callable[[bytes], bytes]) -> None:
    assert relay.front is not None
    relay.front.change_wake_up = change
    time.sleep(OUTAGE_SECONDS)
    relay.front.change_wake_up = None
