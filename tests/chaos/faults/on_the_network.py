"""What lies between the relay and its store, broker and destinations delays, swallows, resets."""

import random
import time
from pathlib import Path

import redis

from tests.chaos.faults.common import OUTAGE_SECONDS, refusing, stopped
from tests.chaos.relay_under_test import RelayUnderTest


def delay_the_store(relay: RelayUnderTest, _: random.Random) -> None:
    assert relay.front is not None
    relay.front.delay_seconds = 0.3
    time.sleep(OUTAGE_SECONDS)
    relay.front.delay_seconds = 0.0


def swallow_all_for_the_store(relay: RelayUnderTest, _: random.Random) -> None:
    assert relay.front is not None
    relay.front.swallows = True
    time.sleep(OUTAGE_SECONDS)
    relay.front.swallows = False


def lose_answers_of_the_store(relay: RelayUnderTest, chance: random.Random) -> None:
    assert relay.front is not None
    for _ in range(10):
        relay.front.loses_answers = True
        time.sleep(chance.uniform(0.05, 0.3))
        relay.front.loses_answers = False
        time.sleep(chance.uniform(0.05, 0.3))


def kill_broker(relay: RelayUnderTest, _: random.Random) -> None:
    assert relay.broker is not None
    relay.broker.kill()
    time.sleep(OUTAGE_SECONDS)
    relay.broker.start()


def stop_broker(relay: RelayUnderTest, _: random.Random) -> None:
    assert relay.broker is not None
    with stopped(relay.broker.pid):
        time.sleep(OUTAGE_SECONDS)


def fill_broker(relay: RelayUnderTest, _: random.Random) -> None:
    assert relay.broker is not None
    with redis.Redis(unix_socket_path=str(relay.broker.socket)) as broker:
        broker.config_set("maxmemory", 1)
        time.sleep(OUTAGE_SECONDS)
        broker.config_set("maxmemory", 0)


def start_worker_without_a_broker(relay: RelayUnderTest, _: random.Random) -> None:
    """A worker that begins while the broker is away works all the same."""
    assert relay.broker is not None
    relay.broker.kill()
    relay.processes.kill("worker")
    relay.processes.start("worker")
    time.sleep(OUTAGE_SECONDS)
    relay.broker.start()


def refuse(relay: RelayUnderTest, _: random.Random) -> None:
    with refusing(relay):
        time.sleep(OUTAGE_SECONDS)


def hang(relay: RelayUnderTest, _: random.Random) -> None:
    with refusing(relay, fault="hang"):
        time.sleep(OUTAGE_SECONDS)


def lose_answers(relay: RelayUnderTest, _: random.Random) -> None:
    with refusing(relay, fault="reset", after_storing=True):
        time.sleep(OUTAGE_SECONDS / 2)


def lose_and_regain_a_sink(relay: RelayUnderTest, _: random.Random) -> None:
    path = Path(relay.processes.environ["RELAY_CONFIG"])
    text = path.read_text()
    path.write_text(text.replace("books", "ledger"))
    time.sleep(OUTAGE_SECONDS / 2)
    path.write_text(text)
