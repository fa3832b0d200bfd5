"""What faults have in common."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from tests.chaos.relay_under_test import RelayUnderTest
from tests.e2e.harness import inject_fault, request_json

OUTAGE_SECONDS = 8


@contextmanager
def open_store(relay: RelayUnderTest) -> Iterator[redis.Redis]:
    """Open the store of a relay that has its own."""
    with redis.Redis.from_url(relay.url, decode_responses=True) as client:
        yield client


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process, and let it go on."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def refusing(relay: RelayUnderTest, **fault: object) -> Iterator[None]:
    """Let all destinations fail, by default with 503."""
    inject_fault(relay.processes, **{"fault": "status", "status": 503, "times": -1, **fault})
    try:
        yield
    finally:
        request_json(f"{relay.processes.sandbox_url}/__sandbox__/faults", method="DELETE")
