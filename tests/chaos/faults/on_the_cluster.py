"""The store is a slot of a cluster: its replica is lost, or the slot is moved to another server."""

import random
import time

from tests.chaos.faults.common import OUTAGE_SECONDS, stopped
from tests.chaos.relay_under_test import RelayUnderTest
from tests.clusters import Cluster
from tests.e2e.harness import until


def lose_replica(relay: RelayUnderTest, chance: random.Random) -> None:
    """Nothing is acknowledged meanwhile: a failover would lose it."""
    _, replica = _cluster(relay).of_store()
    with stopped(replica.pid):
        time.sleep(OUTAGE_SECONDS)


def move_slot(relay: RelayUnderTest, chance: random.Random) -> None:
    """To another server and back, at once, as Valkey 9 can."""
    cluster = _cluster(relay)
    for _ in range(2):
        new = cluster.move_store()
        until(lambda new=new: cluster.primary() is new, what="the slot is on the other server")
        time.sleep(chance.uniform(0.5, 2))


def move_slot_by_keys(relay: RelayUnderTest, chance: random.Random) -> None:
    """To another server, key by key, which takes its time."""
    cluster = _cluster(relay)
    old, new = cluster.begin_move_by_keys()
    time.sleep(OUTAGE_SECONDS / 2)
    cluster.end_move_by_keys(old, new)
    until(lambda: cluster.primary() is new, what="the slot is on the other server")


def _cluster(relay: RelayUnderTest) -> Cluster:
    assert relay.cluster is not None
    return relay.cluster
