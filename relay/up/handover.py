"""Become the program that is installed now, and keep what must not end: socket, servers, lock and child processes."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import msgspec

from relay.model import Record

SIGNALS: Final = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


class Handover(Record):
    """What one program leaves to the next one: open files, and the process ids of what it has started."""

    listening: int
    lock: int
    guard_pid: int
    guard_pipe: int
    own_store: bool
    store_pid: int | None  # None where it does not run just now
    store_url: str
    namespace: str
    web: Sequence[int]
    workers: Sequence[int]
    start: str
    reloads: int
    broker_pid: int | None = None  # likewise; a program before this one may have had no broker of its own


def become_new_program(handover: Handover, log_to: str) -> NoReturn:
    """Start `relay up` anew in this process. Signals wait until it can receive them. Raises OSError."""
    reading, writing = os.pipe()
    os.write(writing, msgspec.json.encode(handover))  # some hundred bytes: the pipe holds them
    os.close(writing)
    for fd in (reading, handover.listening, handover.lock, handover.guard_pipe):
        os.set_inheritable(fd, True)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    os.execv(sys.executable, [sys.executable, "-m", "relay", "up", "--log-to", log_to, "--handover", str(reading)])


def read_handover(pipe: int) -> Handover:
    """Read what the program before has left, and keep it from the children to come."""
    with open(pipe, "rb") as file:
        handover = msgspec.json.decode(file.read(), type=Handover)
    for fd in (handover.listening, handover.lock, handover.guard_pipe):
        os.set_inheritable(fd, False)
    return handover
