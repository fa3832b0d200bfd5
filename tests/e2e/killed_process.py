"""Run a process of the relay that is killed, as by `kill -9`, at a call of one of the store's scripts.

KILL_AT says where: the script, which call of it, and whether the store had it: `erase_people:2:after`. In place of the
script stands `any` for all that an erasure takes. The arguments are those of `python -m relay`; `worker` runs a worker.
"""

import os
import runpy
import signal
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from relay.processes.commands import worker_arguments
from relay.store.connections import Command
from relay.store.scripts import Caller, Script

STEPS: Final = (
    "start_action", "act_on_delivery", "cancel_put_off", "save_replayed", "unpack_receipt", "erase_people",
    "save_action_progress", "change_action",
)  # fmt: skip
"""The scripts that write something for an erasure, but for the attempts."""


class KilledAt:
    """Kills this process at the place that is meant."""

    def __init__(self, place: str) -> None:
        name, nth, self._when = place.split(":")
        self._names = STEPS if name == "any" else (name,)
        self._left = int(nth)
        self._run = Caller._run

    async def run(
        self, caller: Caller, script: Script, request: object, blobs: Sequence[bytes], then: Iterable[Command] = ()
    ) -> list[Any]:
        """Run a script as the store's client does, unless this is the call."""
        self._left -= script.name in self._names
        here = script.name in self._names and self._left == 0
        if here and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        replies = await self._run(caller, script, request, blobs, then)
        if here:
            os.kill(os.getpid(), signal.SIGKILL)
        return replies


if place := os.environ.get("KILL_AT"):
    killed = KilledAt(place)
    Caller._run = lambda caller, *given: killed.run(caller, *given)  # type: ignore[method-assign]
if sys.argv[1] == "worker":
    from celery.__main__ import main

    sys.argv = list(worker_arguments())
    main()
else:
    sys.argv[0] = "relay"
    runpy.run_module("relay", run_name="__main__")
