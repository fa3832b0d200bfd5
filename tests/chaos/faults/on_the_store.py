"""The store is killed, hung, full, read-only, without room for its file; or its primary is replaced."""

import random
import resource
import time
from contextlib import suppress

import redis

from tests.chaos.faults.common import OUTAGE_SECONDS, open_store, refusing, stopped
from tests.chaos.relay_under_test import RelayUnderTest
from tests.e2e.harness import until


def kill_store(relay: RelayUnderTest, chance: random.Random) -> None:
    relay.processes.kill("store")
    time.sleep(3)
    relay.processes.start("store")


def store_away_for_three_minutes(relay: RelayUnderTest, chance: random.Random) -> None:
    relay.processes.kill("store")
    time.sleep(180)
    relay.processes.start("store")


def store_away_while_refusing(relay: RelayUnderTest, chance: random.Random) -> None:
    with refusing(relay):
        relay.processes.kill("store")
        time.sleep(20)
        relay.processes.start("store")


def stop_store(relay: RelayUnderTest, chance: random.Random) -> None:
    with stopped(relay.processes.pid("store")):
        time.sleep(OUTAGE_SECONDS)


def reset_connections(relay: RelayUnderTest, chance: random.Random) -> None:
    with open_store(relay) as store:
        for _ in range(20):
            store.client_kill_filter(_type="normal", skipme=True)
            time.sleep(chance.uniform(0.05, 0.2))


def read_only_store(relay: RelayUnderTest, chance: random.Random) -> None:
    with open_store(relay) as store:
        store.config_set("min-replicas-to-write", 1)
        time.sleep(OUTAGE_SECONDS)
        store.config_set("min-replicas-to-write", 0)


def full_store(relay: RelayUnderTest, chance: random.Random) -> None:
    with open_store(relay) as store:
        store.config_set("maxmemory", 1)
        time.sleep(OUTAGE_SECONDS)
        store.config_set("maxmemory", 0)


def forget_scripts(relay: RelayUnderTest, chance: random.Random) -> None:
    with open_store(relay) as store:
        for _ in range(20):
            store.script_flush()
            with suppress(redis.RedisError):
                store.script_kill()
            time.sleep(0.1)


def delete_celery_lists(relay: RelayUnderTest) -> None:
    """Delete everything Celery keeps, as if its broker had lost it all."""
    with redis.Redis.from_url(relay.processes.environ["CELERY_BROKER_URL"], decode_responses=True) as broker:
        broker.flushall()


def delete_celery_lists_often(relay: RelayUnderTest, chance: random.Random) -> None:
    for _ in range(10):
        delete_celery_lists(relay)
        time.sleep(0.1)


def file_at_its_limit(relay: RelayUnderTest, chance: random.Random) -> None:
    """The file of a store that syncs always cannot grow: it ends, and again at its next start, until it may."""
    processes, store = relay.processes, relay.processes.store
    assert store is not None
    for _ in range(2):
        size = max(file.stat().st_size for file in (store.folder / "appendonlydir").iterdir())
        resource.prlimit(processes.pid("store"), resource.RLIMIT_FSIZE, (size + 20_000, resource.RLIM_INFINITY))
        until(lambda: not store.running, what="the store ended at its limit")
        processes.kill("store")
        time.sleep(OUTAGE_SECONDS / 4)
        processes.start("store")


def full_disk(relay: RelayUnderTest, chance: random.Random) -> None:
    assert relay.disk is not None
    ballast = relay.disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(65_536))
    time.sleep(OUTAGE_SECONDS)
    ballast.unlink()


def kill_primary(relay: RelayUnderTest, chance: random.Random) -> None:
    """The replica takes over; the old primary comes back as a replica of it."""
    group = relay.replicated
    old = group.primary()
    relay.failed_over = True
    old.kill()
    until(lambda: group.primary() is not old, what="a failover")
    time.sleep(2)  # with a primary that has no replica
    old.start()
    until(group.ready, what="the old primary follows the new one")


def stop_primary(relay: RelayUnderTest, chance: random.Random) -> None:
    """The replica takes over; the old primary wakes up, and takes itself for one until others tell it."""
    group = relay.replicated
    old = group.primary()
    relay.failed_over = True
    with stopped(old.pid):
        until(lambda: group.primary() is not old, what="a failover")
        time.sleep(2)
    until(group.ready, what="the old primary follows the new one")


def fail_over_in_order(relay: RelayUnderTest, chance: random.Random) -> None:
    group = relay.sentinels
    assert group is not None
    old = group.primary()
    relay.failed_over = True
    group.fail_over()
    until(lambda: group.primary() is not old, what="a failover")
    until(group.ready, what="the old primary follows the new one")
