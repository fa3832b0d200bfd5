"""Processes of the relay are killed, stopped, replaced."""

import random
import time

from tests.chaos.faults.common import OUTAGE_SECONDS, refusing, stopped
from tests.chaos.relay_under_test import RelayUnderTest


def kill_worker(relay: RelayUnderTest, chance: random.Random) -> None:
    relay.processes.kill("worker")
    time.sleep(1)
    relay.processes.start("worker")


def kill_worker_six_times(relay: RelayUnderTest, chance: random.Random) -> None:
    with refusing(relay, fault="hang"):
        for _ in range(6):
            relay.processes.kill("worker")
            relay.processes.start("worker")
            time.sleep(4)


def stop_worker(relay: RelayUnderTest, chance: random.Random) -> None:
    with stopped(relay.processes.pid("worker")):
        time.sleep(OUTAGE_SECONDS)  # longer than a lease


def stop_one_of_two_workers(relay: RelayUnderTest, chance: random.Random) -> None:
    """The other one takes over what it holds, and then it goes on."""
    relay.processes.start("worker:2")
    with stopped(relay.processes.pid("worker")):
        time.sleep(OUTAGE_SECONDS)
    relay.processes.stop("worker:2")


def restart_worker(relay: RelayUnderTest, chance: random.Random) -> None:
    for _ in range(3):
        relay.processes.restart("worker")


def replace_all(relay: RelayUnderTest, chance: random.Random) -> None:
    """As a rolling deploy does: a new worker begins beside the old one, then that ends; then the web process."""
    for old, new in (("worker", "worker:2"), ("worker:2", "worker")):
        relay.processes.start(new)
        relay.processes.stop(old)
        relay.processes.restart("web")


def kill_web(relay: RelayUnderTest, chance: random.Random) -> None:
    relay.processes.kill("web")
    relay.processes.start("web")


def stop_web(relay: RelayUnderTest, chance: random.Random) -> None:
    with stopped(relay.processes.pid("web")):
        time.sleep(OUTAGE_SECONDS)


def kill_all_but_the_store(relay: RelayUnderTest, chance: random.Random) -> None:
    with refusing(relay):
        time.sleep(10)
        for name in ("web", "worker"):
            relay.processes.kill(name)
        relay.processes.start("web", "worker")


def kill_everything(relay: RelayUnderTest, chance: random.Random) -> None:
    """As a power cut does."""
    for name in ("web", "worker", "store", "broker"):
        relay.processes.kill(name)
    relay.processes.start("store", "broker", "web", "worker")


def move_the_clock(relay: RelayUnderTest, chance: random.Random) -> None:
    """Days ahead, minutes ahead, minutes behind, and right again, while the destination refuses and after that."""
    assert relay.clock is not None
    with refusing(relay):
        for ahead in (2 * 86_400, 180):
            relay.clock.write_text(str(ahead))
            time.sleep(2)
    for ahead in (-900, 86_400, 0):
        relay.clock.write_text(str(ahead))
        time.sleep(1)
