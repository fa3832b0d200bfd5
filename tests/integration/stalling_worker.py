"""A worker that is watched, and of which a part stands still. What does so is named by the argument."""

import asyncio
import re
import sys
from collections.abc import Mapping
from threading import Event
from typing import NoReturn

from celery.__main__ import main

from relay.processes.commands import worker_arguments
from relay.sinks.log.sink import LogSink
from workers import watchdog


def hold_the_lock(*_: object) -> NoReturn:
    """Do in C what never ends: no other thread of this process gets the interpreter's lock."""
    re.match("(a+)+$", "a" * 100 + "!")
    raise AssertionError


def content(_sink: LogSink, _params: Mapping[str, object]) -> bytes:
    hold_the_lock()


def run_worker() -> None:
    """Run a whole worker. Whatever goes to a `log` sink halts its planner."""
    watchdog.LIMIT_SECONDS = 5.0
    LogSink.content = content  # type: ignore[method-assign]
    sys.argv = list(worker_arguments())
    main()


async def beat(limit: float) -> None:
    """Beat, and say so; or let the planner do nothing for ever, or hold the lock, alone or by a planner on the loop."""
    watched = watchdog.Watchdog("a-worker", limit)
    beating = asyncio.create_task(watched.run())
    if sys.argv[1] == "planner":
        with watched.watched("planner"):
            await asyncio.to_thread(Event().wait)
    if sys.argv[1] == "lock":
        await asyncio.sleep(0)  # the watch begins
        print("it holds the lock", flush=True)
        hold_the_lock()
    if sys.argv[1] == "planner on the loop":
        await asyncio.sleep(0)
        with watched.watched_on_loop("planner"):
            hold_the_lock()
    while not beating.done():
        print("it turns", flush=True)
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        run_worker()
    else:
        asyncio.run(beat(float(sys.argv[2])))
