"""What is done to a relay. Each function returns when it is over: what was killed runs again."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import redis

from relay.processes.supervisor import Processes
from tests.e2e.harness import inject_fault, request_json

Fault: TypeAlias = Callable[[Processes, random.Random], None]
OUTAGE_SECONDS = 8
_ALL_BUT_THE_STORE = ("web", "worker")


@contextmanager
def _store(processes: Processes) -> Iterator["redis.Redis[str]"]:
    with redis.Redis.from_url(processes.environ["REDIS_URL"], decode_responses=True) as client:
        yield client


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def _refusing(processes: Processes, **fault: object) -> Iterator[None]:
    inject_fault(processes, **{"fault": "status", "status": 503, "times": -1, **fault})
    try:
        yield
    finally:
        request_json(f"{processes.sandbox_url}/__sandbox__/faults", method="DELETE")


def kill_worker(processes: Processes, _: random.Random) -> None:
    processes.kill("worker")
    time.sleep(1)
    processes.start("worker")


def kill_worker_six_times(processes: Processes, _: random.Random) -> None:
    with _refusing(processes, fault="hang"):
        for _ in range(6):
            processes.kill("worker")
            processes.start("worker")
            time.sleep(4)


def stop_worker(processes: Processes, _: random.Random) -> None:
    with _stopped(processes.pid("worker")):
        time.sleep(OUTAGE_SECONDS)  # longer than a lease


def restart_worker(processes: Processes, _: random.Random) -> None:
    for _ in range(3):
        processes.restart("worker")


def kill_store(processes: Processes, _: random.Random) -> None:
    processes.kill("store")
    time.sleep(3)
    processes.start("store")


def stop_store(processes: Processes, _: random.Random) -> None:
    with _stopped(processes.pid("store")):
        time.sleep(OUTAGE_SECONDS)


def reset_connections(processes: Processes, chance: random.Random) -> None:
    with _store(processes) as store:
        for _ in range(20):
            store.client_kill_filter(_type="normal", skipme=True)
            time.sleep(chance.uniform(0.05, 0.2))


def read_only_store(processes: Processes, _: random.Random) -> None:
    with _store(processes) as store:
        store.config_set("min-replicas-to-write", 1)
        time.sleep(OUTAGE_SECONDS)
        store.config_set("min-replicas-to-write", 0)


def full_store(processes: Processes, _: random.Random) -> None:
    with _store(processes) as store:
        store.config_set("maxmemory", 1)
        time.sleep(OUTAGE_SECONDS)
        store.config_set("maxmemory", 0)


def kill_scripts(processes: Processes, _: random.Random) -> None:
    with _store(processes) as store:
        for _ in range(20):
            store.script_flush()
            with suppress(redis.RedisError):
                store.script_kill()
            time.sleep(0.1)


def delete_celery_lists(processes: Processes, _: random.Random) -> None:
    """Delete everything Celery keeps in the store, as if its broker had lost it all."""
    with _store(processes) as store:
        keys = [key for key in store.scan_iter(count=1000) if not key.startswith("{relay}:")]
        if keys:
            store.delete(*keys)


def delete_celery_lists_often(processes: Processes, chance: random.Random) -> None:
    for _ in range(10):
        delete_celery_lists(processes, chance)
        time.sleep(0.1)


def refuse(processes: Processes, _: random.Random) -> None:
    with _refusing(processes):
        time.sleep(OUTAGE_SECONDS)


def lose_answers(processes: Processes, _: random.Random) -> None:
    with _refusing(processes, fault="reset", after_storing=True):
        time.sleep(OUTAGE_SECONDS / 2)


def store_away_while_refusing(processes: Processes, _: random.Random) -> None:
    with _refusing(processes):
        processes.kill("store")
        time.sleep(20)
        processes.start("store")


def kill_all_but_the_store(processes: Processes, _: random.Random) -> None:
    with _refusing(processes):
        time.sleep(OUTAGE_SECONDS)
        for name in _ALL_BUT_THE_STORE:
            processes.kill(name)
        processes.start(*_ALL_BUT_THE_STORE)


def kill_web(processes: Processes, _: random.Random) -> None:
    processes.kill("web")
    processes.start("web")


def lose_and_regain_a_sink(processes: Processes, _: random.Random) -> None:
    path = Path(processes.environ["RELAY_CONFIG"])
    text = path.read_text()
    path.write_text(text.replace("books", "ledger"))
    time.sleep(OUTAGE_SECONDS / 2)
    path.write_text(text)


FAULTS: Mapping[str, Fault] = {
    "the only worker is killed, another starts a second later": kill_worker,
    "the worker is killed six times, four seconds apart, while the destination hangs": kill_worker_six_times,
    "the worker is stopped (SIGSTOP) for longer than a lease": stop_worker,
    "the worker is restarted three times (SIGTERM)": restart_worker,
    "the store is killed, and back after three seconds": kill_store,
    "the store hangs (SIGSTOP) for eight seconds": stop_store,
    "all connections to the store are reset, twenty times": reset_connections,
    "the store takes no writes for eight seconds": read_only_store,
    "the store is full for eight seconds": full_store,
    "the store forgets its scripts, twenty times": kill_scripts,
    "all that Celery keeps is deleted, ten times": delete_celery_lists_often,
    "the destination refuses (503) for eight seconds": refuse,
    "the destination acts, and its answers are lost, for four seconds": lose_answers,
    "the store is away for twenty seconds while the destination refuses": store_away_while_refusing,
    "everything but the store is killed eight seconds into an outage": kill_all_but_the_store,
    "the web process is killed": kill_web,
    "the file loses a sink for four seconds": lose_and_regain_a_sink,
}
