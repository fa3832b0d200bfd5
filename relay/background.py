"""Tasks that nobody waits for: what ends one is logged, and what must go on is begun again."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from relay.logs import log

PAUSE_SECONDS: Final = 1.0  # before a task is begun again
MAX_PAUSE_SECONDS: Final = 30.0  # where it fails each time
_STOP_SECONDS: Final = 1.0  # a client library may swallow a cancellation


class BackgroundTasks:
    """The tasks of a part of a process. `stopping`: once it is true, a task that is to go on for ever may end."""

    def __init__(self, stopping: Callable[[], bool] = lambda: False, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._stopping = stopping
        self._pause_seconds = pause_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, object]) -> asyncio.Task[None]:
        """Run a piece of work once; what it raises is logged."""
        return self._add(self._run(name, work))

    def keep(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Run work that never ends. Where it ends or fails, that is logged, and it is begun again after a pause."""
        return self._add(self._keep(name, work))

    async def wait(self) -> None:
        """Wait until all have ended."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Cancel all, and wait a second at most."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_SECONDS)

    def _add(self, running: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(running)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            if _cancelled():
                raise
            log.exception("task.failed", task=name)
        except Exception:  # noqa: BLE001  no task ends unseen
            log.exception("task.failed", task=name)

    async def _keep(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        loop, pause = asyncio.get_running_loop(), self._pause_seconds
        while True:
            began = loop.time()
            await self._run(name, work())
            if self._stopping():
                return
            if loop.time() - began > MAX_PAUSE_SECONDS:
                pause = self._pause_seconds
            log.error("task.restarted", task=name, after_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_SECONDS)


def _cancelled() -> bool:
    """Return whether somebody cancelled this task; else what it awaited was cancelled, which is a failure of it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
