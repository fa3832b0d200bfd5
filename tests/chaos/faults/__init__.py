"""What is done to a relay. Each fault returns when it is over: what was killed runs again."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.chaos.faults import by_people, on_listeners, on_processes, on_the_cluster, on_the_network, on_the_store
from tests.chaos.relay_under_test import (
    RelayUnderTest,
    Setting,
    behind_a_network,
    on_a_cluster,
    on_a_small_disk,
    plain,
    with_a_broker,
    with_a_clock,
    with_sentinels,
)


@dataclass(frozen=True)
class Fault:
    """A fault, and the relay to which it is done."""

    do: Callable[[RelayUnderTest, random.Random], None]
    setting: Setting = plain
    minutes: bool = False  # it takes some: fewer runs are made


FAULTS: Mapping[str, Fault] = {
    "the only worker is killed, another starts a second later": Fault(on_processes.kill_worker),
    "the worker is killed six times, four seconds apart, while the destination hangs": Fault(
        on_processes.kill_worker_six_times
    ),
    "the worker is stopped (SIGSTOP) for longer than a lease": Fault(on_processes.stop_worker),
    "one of two workers is stopped (SIGSTOP) for longer than a lease": Fault(on_processes.stop_one_of_two_workers),
    "the worker is restarted three times (SIGTERM)": Fault(on_processes.restart_worker),
    "web and workers are replaced, twice, as by a rolling deploy": Fault(on_processes.replace_all),
    "of two workers that which is woken is killed, three times": Fault(on_listeners.kill_listeners),
    "of two workers that which is woken is stopped (SIGSTOP) for eight seconds": Fault(on_listeners.stop_listener),
    "the connections by which workers listen are closed, twenty times": Fault(on_listeners.close_listening_connections),
    "all wake-ups are lost for eight seconds": Fault(on_listeners.lose_wake_ups, behind_a_network),
    "wake-ups come late, and twice, for eight seconds": Fault(on_listeners.repeat_wake_ups_late, behind_a_network),
    "the web process is killed": Fault(on_processes.kill_web),
    "the web process is stopped (SIGSTOP) for eight seconds": Fault(on_processes.stop_web),
    "everything but the store is killed ten seconds into an outage": Fault(on_processes.kill_all_but_the_store),
    "everything is killed at once, as by a power cut": Fault(on_processes.kill_everything),
    "the relay's clock jumps: days ahead, minutes behind": Fault(on_processes.move_the_clock, with_a_clock),
    "the store is killed, and back after three seconds": Fault(on_the_store.kill_store),
    "the store is away for three minutes with work in hand": Fault(
        on_the_store.store_away_for_three_minutes, minutes=True
    ),
    "the store is away for twenty seconds while the destination refuses": Fault(on_the_store.store_away_while_refusing),
    "the store hangs (SIGSTOP) for eight seconds": Fault(on_the_store.stop_store),
    "all connections to the store are reset, twenty times": Fault(on_the_store.reset_connections),
    "the store takes no writes for eight seconds": Fault(on_the_store.read_only_store),
    "the store is full for eight seconds": Fault(on_the_store.full_store),
    "the store's file is at its limit, twice": Fault(on_the_store.file_at_its_limit),
    "the store's disk is full for eight seconds": Fault(on_the_store.full_disk, on_a_small_disk),
    "the store forgets its scripts, twenty times": Fault(on_the_store.forget_scripts),
    "the primary is killed, its replica takes over (Sentinel)": Fault(on_the_store.kill_primary, with_sentinels),
    "the primary hangs, its replica takes over, it wakes up (Sentinel)": Fault(
        on_the_store.stop_primary, with_sentinels
    ),
    "the primary is replaced in order (SENTINEL FAILOVER)": Fault(on_the_store.fail_over_in_order, with_sentinels),
    "the primary is killed, its replica takes over (cluster)": Fault(on_the_store.kill_primary, on_a_cluster),
    "the primary hangs, its replica takes over, it wakes up (cluster)": Fault(on_the_store.stop_primary, on_a_cluster),
    "the store's replica hangs for eight seconds (cluster)": Fault(on_the_cluster.lose_replica, on_a_cluster),
    "the store's slot is moved to another server and back (cluster)": Fault(on_the_cluster.move_slot, on_a_cluster),
    "the store's slot is moved key by key (cluster)": Fault(on_the_cluster.move_slot_by_keys, on_a_cluster),
    "the network delays what goes to the store and back by 0.3 s each": Fault(
        on_the_network.delay_the_store, behind_a_network
    ),
    "the network swallows what goes to the store for eight seconds": Fault(
        on_the_network.swallow_all_for_the_store, behind_a_network
    ),
    "the network resets connections once the store has answered, ten times": Fault(
        on_the_network.lose_answers_of_the_store, behind_a_network
    ),
    "all that Celery keeps is deleted, ten times": Fault(on_the_store.delete_celery_lists_often),
    "the broker is away for eight seconds": Fault(on_the_network.kill_broker, with_a_broker),
    "the broker is full for eight seconds": Fault(on_the_network.fill_broker, with_a_broker),
    "the broker hangs (SIGSTOP) for eight seconds": Fault(on_the_network.stop_broker, with_a_broker),
    "the worker is killed, and starts while the broker is away": Fault(
        on_the_network.start_worker_without_a_broker, with_a_broker
    ),
    "the destination refuses (503) for eight seconds": Fault(on_the_network.refuse),
    "the destination hangs for eight seconds": Fault(on_the_network.hang),
    "the destination acts, and its answers are lost, for four seconds": Fault(on_the_network.lose_answers),
    "the file loses a sink for four seconds": Fault(on_the_network.lose_and_regain_a_sink),
    "people retry, cancel and resend while the destination refuses": Fault(by_people.act_while_refusing),
    "people retry, cancel and resend while the worker is killed three times": Fault(
        by_people.act_while_workers_are_killed
    ),
    "people retry, cancel and resend while the store is killed twice": Fault(by_people.act_while_the_store_is_killed),
    "bulk actions retry and replay all while the worker is killed three times": Fault(
        by_people.run_bulk_actions_while_workers_are_killed
    ),
}
