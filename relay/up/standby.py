"""A spare web process with its imports done: it serves within milliseconds when another one has died."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Final

from relay.logs import log
from relay.up.child_processes import ChildProcess
from relay.up.pauses import RestartPauses

SERVING_SECONDS: Final = 10.0  # one that takes longer is waited for no more


class WebStandby:
    """Keeps one spare process. `spawn` starts one that serves once something is written to the pipe it is given.

    Where one was taken, the next is started when that serves: at the start, too, hooks wait for it and not for a spare.
    """

    def __init__(self, spawn: Callable[[int], ChildProcess]) -> None:
        self._spawn = spawn
        self._spare: ChildProcess | None = None
        self._pipe = -1
        self._available = asyncio.Event()
        self._taken = asyncio.Event()
        self._needed = asyncio.Event()  # somebody waits for a process, and there is none
        self._pauses = RestartPauses()

    async def keep(self) -> None:
        """Start a spare process, and another whenever it was taken or has ended, for ever."""
        while True:
            try:
                process = self._start()
            except OSError as error:
                pause = self._pauses.next(0.0)
                log.error("process.not_started", process="spare web", reason=str(error), restart_seconds=pause)
                await asyncio.sleep(pause)
                continue
            taken = asyncio.create_task(self._taken.wait())
            await asyncio.wait((taken, process.ended), return_when=asyncio.FIRST_COMPLETED)
            taken.cancel()
            if self._spare is not process:
                await self._until_serving_or_needed(process)
            else:  # it was not taken: it has ended by itself
                self._forget()
                await asyncio.sleep(self._pauses.next(process.lived_seconds))

    async def _until_serving_or_needed(self, process: ChildProcess) -> None:
        needed = asyncio.create_task(self._needed.wait())
        await asyncio.wait((process.ready, needed), timeout=SERVING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        needed.cancel()

    def _start(self) -> ChildProcess:
        reading, writing = os.pipe()
        try:
            self._spare = self._spawn(reading)
        except OSError:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._pipe = writing
        self._taken.clear()
        self._needed.clear()
        self._available.set()
        return self._spare

    async def take(self) -> ChildProcess:
        """Let the spare process serve, as soon as there is one, and return it."""
        while True:
            if self._spare is None:
                self._needed.set()
            await self._available.wait()
            process = self._spare
            if process is None:  # somebody else was faster
                continue
            if _write(self._pipe):
                self._forget()
                self._taken.set()
                return process
            self._available.clear()  # it has just died: `keep` will notice

    def _forget(self) -> None:
        os.close(self._pipe)
        self._spare, self._pipe = None, -1
        self._available.clear()

    async def end(self) -> None:
        """End the spare process."""
        if self._spare is not None:
            process = self._spare
            self._forget()
            await process.end(1.0)


def _write(pipe: int) -> bool:
    with contextlib.suppress(BrokenPipeError):
        os.write(pipe, b"1")
        return True
    return False
